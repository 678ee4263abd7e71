"""Super-resolution: from block means to the finer volume they were taken from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_vol2vol.errors import VolumeError
from napari_vol2vol.grid import Grid, finer, regridded
from napari_vol2vol.tasks.conditions import in_model_space, intensity_of, pick, refuse_raw
from napari_vol2vol.volume import Volume, pad_to_multiple

if TYPE_CHECKING:
    from napari_vol2vol.sampling.measurement import Measurement

Factor = tuple[int, int, int]
FloatArray = NDArray[np.float32]
MIN_CELLS = 4
NONE: Mapping[str, Volume] = MappingProxyType({})


class SuperResolution:
    """Each voxel of the input is the mean of a block of ``factor = (kz, ky, kx)`` voxels of the result."""

    name = "super-resolution"
    title = "Super-resolution"
    default_factor: Factor = (4, 4, 4)
    simulates = True
    shares_window = True
    accepts_raw = False
    simulation: type | None = None
    loading: type | None = None
    systems: tuple[str, ...] = (
        "score-fusion", "score-fusion-tosm", "score-fusion-madm", "score-fusion-small", "diff-ensembler",
        "tpdm", "tosm", "madm", "palette", "palette-2.5d", "palette-3d", "i2sb", "unet", "unet-3d",
        "pix2pix", "pix2pix-3d", "gaussian", "smooth-inverse", "trilinear",
    )  # fmt: skip

    def degrade(self, volume: Volume, factor: Factor = (4, 4, 4), /) -> Volume:
        """Return the block means of a volume, on their own coarser grid.

        Where an axis is not divisible, the voxels beyond the last whole block are cut off at its far end.

        Raises
        ------
        VolumeError
            If an axis is shorter than one block.
        """
        if any(k < 1 for k in factor):
            raise VolumeError(
                f"factor: found {factor}, accepted are three whole numbers of 1 or more (z, y, x)"
            )
        if any(n < k for n, k in zip(volume.shape, factor, strict=True)):
            raise VolumeError(
                f"{volume.name}: shape {volume.shape} is smaller than one block of {factor} (z, y, x)"
            )
        cells = [n // k for n, k in zip(volume.shape, factor, strict=True)]
        cut = volume.data[tuple(slice(0, n * k) for n, k in zip(cells, factor, strict=True))]
        blocks = cut.reshape([v for n, k in zip(cells, factor, strict=True) for v in (n, k)])
        affine = regridded(volume.affine, [float(k) for k in factor])
        return volume.with_data(
            blocks.mean(axis=(1, 3, 5), dtype=np.float64), affine=affine, name=f"{volume.name} low"
        )

    def grid(self, source: Volume, factor: Factor) -> Grid:
        """Return the grid of the result."""
        return finer(source.grid, factor)

    def prepare(
        self,
        source: Volume,
        factor: Factor,
        multiple: int,
        inputs: Sequence[str] = ("base",),
        conditions: Mapping[str, Volume] = NONE,
    ) -> Measurement:
        """Return the measurement in model space: 0 and the 99.5th percentile of the input become -1 and 1.

        Parameters
        ----------
        conditions : mapping of modality to Volume
            Further volumes on the grid of the result; those that ``inputs`` names are used.

        Raises
        ------
        VolumeError
            If the input holds one value only, or a condition is missing or lies elsewhere.
        """
        import torch
        from torch.nn import functional as F

        from napari_vol2vol.physics import BlockAverage, smooth_inverse
        from napari_vol2vol.sampling.measurement import BASE, Measurement, Observed

        intensity = intensity_of(source)
        cells = tuple(int(np.lcm(multiple, k)) // k for k in factor)
        padded, crop = pad_to_multiple(source.data, cells, minimum=tuple(max(MIN_CELLS, c) for c in cells))
        low = intensity.to_model(torch.from_numpy(np.ascontiguousarray(padded)))
        operator = BlockAverage(factor)
        scale = [float(k) for k in factor]
        plain = F.interpolate(low[None, None], scale_factor=scale, mode="trilinear")[0, 0]
        z, y, x = (slice(s.start * k, s.stop * k) for s, k in zip(crop, factor, strict=True))
        given = {BASE: smooth_inverse(low, factor)}
        wanted = [name for name in inputs if name != BASE]
        grid = self.grid(source, factor)
        on = source.with_data(
            np.broadcast_to(np.float32(0), grid.shape), affine=grid.affine, name="the result"
        )
        padding = [(s.start, n - s.stop) for s, n in zip((z, y, x), plain.shape, strict=True)]
        for name, volume in pick(wanted, conditions, on).items():
            given[name] = in_model_space(volume, padding)
        observed = Observed(operator.from_means(low), operator, 0.0, nothing=-1.0)
        return Measurement(given, plain, intensity, (z, y, x), observed)

    def finish(self, data: FloatArray, source: Volume, factor: Factor, name: str, target: str) -> Volume:
        """Return a result in the source's units as a volume on the finer grid."""
        del target
        return source.with_data(data, affine=self.grid(source, factor).affine, name=name)

    def remarks(self, source: Volume) -> list[str]:
        """Return nothing: what is odd, the card of the bundle says."""
        return []

    def load(self, path: Path, how: None = None, /) -> Volume:
        """Refuse: the task starts from volumes; see `conditions.refuse_raw`."""
        raise refuse_raw(self.name, path)

    def pictures(self, source: Volume) -> dict[str, Volume]:
        """Return nothing: the source shows all there is."""
        return {}

    def match(self, reference: Volume) -> Volume:
        """Return the reference in the units of the result: as it is."""
        return reference


class MultiContrastSuperResolution(SuperResolution):
    """Super-resolution guided by another modality on the fine grid ("both conditions" of Score-Fusion)."""

    name = "multi-contrast-super-resolution"
    title = "Multi-contrast super-resolution"
    systems: tuple[str, ...] = (
        "score-fusion", "score-fusion-tosm", "score-fusion-small", "tpdm", "tosm", "palette", "palette-3d",
        "i2sb", "unet", "unet-3d", "pix2pix", "pix2pix-3d", "smooth-inverse", "trilinear",
    )  # fmt: skip
