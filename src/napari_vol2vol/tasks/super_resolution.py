"""Super-resolution: from block means to the finer volume they were taken from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_vol2vol.errors import VolumeError
from napari_vol2vol.volume import Volume, pad_to_multiple

if TYPE_CHECKING:
    from torch import Tensor

    from napari_vol2vol.sampling.measurement import Measurement

Factor = tuple[int, int, int]
MIN_CELLS = 4
PERCENTILE = 99.5


class SuperResolution:
    """Each voxel of the input is the mean of a block of ``factor = (kz, ky, kx)`` voxels of the result."""

    name = "super-resolution"
    title = "Super-resolution"
    systems: tuple[str, ...] = ("score-fusion", "tpdm", "palette", "unet-3d", "smooth-inverse", "trilinear")

    def degrade(self, volume: Volume, factor: Factor = (4, 4, 4)) -> Volume:
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

    def output_shape(self, source: Volume, factor: Factor) -> tuple[int, int, int]:
        """Return the shape of the result `(z, y, x)`."""
        z, y, x = (n * k for n, k in zip(source.shape, factor, strict=True))
        return z, y, x

    def prepare(self, source: Volume, factor: Factor, multiple: int) -> Measurement:
        """Return the measurement in model space: 0 and the 99.5th percentile of the input become -1 and 1.

        Raises
        ------
        VolumeError
            If the input holds one value only.
        """
        import torch
        from torch.nn import functional as F

        from napari_vol2vol.physics import BlockAverage, smooth_inverse
        from napari_vol2vol.sampling.measurement import IntensityMap, Measurement

        top = float(np.percentile(source.data, PERCENTILE))
        if top <= 0 or float(source.data.min()) == float(source.data.max()):
            raise VolumeError(f"{source.name}: values from {source.data.min():g} to {source.data.max():g}, "
                              "accepted is an image with varying, mostly positive intensities")  # fmt: skip
        cells = tuple(int(np.lcm(multiple, k)) // k for k in factor)
        padded, crop = pad_to_multiple(source.data, cells, minimum=tuple(max(MIN_CELLS, c) for c in cells))
        intensity = IntensityMap(0.0, top)
        low = intensity.to_model(torch.from_numpy(np.ascontiguousarray(padded)))
        operator = BlockAverage(factor)
        plain = F.interpolate(low[None, None], scale_factor=[float(k) for k in factor], mode="trilinear")[
            0, 0
        ]
        fine = tuple(slice(s.start * k, s.stop * k) for s, k in zip(crop, factor, strict=True))
        return Measurement(
            operator.from_means(low),
            operator,
            smooth_inverse(low, factor),
            plain,
            intensity,
            fine,  # type: ignore[arg-type]
        )

    def finish(self, x: Tensor, measurement: Measurement, source: Volume, name: str) -> Volume:
        """Return a volume in the source's units on the finer grid."""
        factor: Factor = measurement.operator.factor  # type: ignore[attr-defined]
        data = measurement.intensity.to_physical(x[measurement.crop]).float().cpu().numpy()
        return source.with_data(data, affine=regridded(source.affine, [1 / k for k in factor]), name=name)


def regridded(affine: np.ndarray, scale_zyx: list[float]) -> np.ndarray:
    """Return the affine of a grid with voxels ``scale`` times as large and the same outer corner."""
    scale = np.array(scale_zyx[::-1])
    change = np.eye(4)
    change[:3, :3] = np.diag(scale)
    change[:3, 3] = (scale - 1) / 2
    return np.asarray(affine @ change)
