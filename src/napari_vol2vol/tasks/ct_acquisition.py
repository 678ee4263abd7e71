"""Sparse-view CT: a sinogram simulated from a volume or read from a file, and its projector.

Model space is linear in the attenuation mu: ``m = mu / mu_top``, 0 for vacuum and 1 at `TOP_HU`. A projector
of unit norm measures ``A m = gain / (mu_top pixel_mm) * line integrals``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_vol2vol.errors import SettingsError, VolumeError
from napari_vol2vol.measured import MeasuredCT
from napari_vol2vol.options import check_settings, setting
from napari_vol2vol.volume import Volume

if TYPE_CHECKING:
    from torch import Tensor

    from napari_vol2vol.physics.projector import Projector
    from napari_vol2vol.sampling.measurement import IntensityMap, Observed

#: 1 in model space; 0 is vacuum, -1000 HU.
TOP_HU = 2000.0
GEOMETRIES = ("parallel", "fan")
FULL_CIRCLE = 360.0


@dataclass(frozen=True)
class CtSimulation:
    """How a sinogram is measured from a volume in HU.

    The noise is stated as in the code of SCD, whose CT setting DDIP follows: 0.01 of the mean sinogram.
    """

    views: int = setting(60, "views, evenly spaced over the range", low=1, high=4000)
    range_deg: float = setting(
        180.0, "angular range of the views; 360 for a fan beam", low=1, high=360, unit="°"
    )
    noise: float = setting(
        0.01, "standard deviation of the noise as a share of the mean of the sinogram", low=0, high=10
    )
    measurement_seed: int = setting(0, "same seed, same noise", low=0, high=2**31 - 1)
    geometry: str = setting("parallel", "parallel rays, or a fan from a point to a flat detector",
                            choices=GEOMETRIES)  # fmt: skip
    bins: int = setting(0, "detector bins; 0 for as many as see the whole image", low=0, high=100_000)
    bin_mm: float | None = setting(None, "width of a bin at the axis of rotation; auto: one pixel", low=1e-3,
                                   kind=float, optional=True, unit="mm")  # fmt: skip
    source_distance_mm: float = setting(600.0, "from the source of a fan beam to the axis", low=1, unit="mm")

    def __post_init__(self) -> None:
        check_settings(self)
        _check_range(self.geometry, self.range_deg)


@dataclass(frozen=True)
class CtLoading:
    """What a file with a sinogram does not say."""

    pixel_mm: float = setting(1.0, "edge of a pixel of the image", low=1e-3, unit="mm")
    slice_mm: float = setting(1.0, "distance of slices", low=1e-3, unit="mm")
    rows: int = setting(0, "rows of the image; 0 for as many as there are bins", low=0)
    columns: int = setting(0, "columns of the image; 0 for as many as there are bins", low=0)
    range_deg: float = setting(180.0, "angular range of the views, where the file has no angles_deg", low=1,
                               high=360, unit="°")  # fmt: skip
    geometry: str = setting("parallel", "parallel rays, or a fan from a point to a flat detector",
                            choices=GEOMETRIES)  # fmt: skip
    bin_mm: float | None = setting(None, "width of a bin at the axis of rotation; auto: one pixel", low=1e-3,
                                   kind=float, optional=True, unit="mm")  # fmt: skip
    source_distance_mm: float = setting(600.0, "from the source of a fan beam to the axis", low=1, unit="mm")
    sigma: float | None = setting(None, "standard deviation of the noise of line integrals; auto: unknown",
                                  low=0, kind=float, optional=True)  # fmt: skip
    layout: str = setting("", "axes of the array: z, v (views), b (bins); empty: zvb or vb")

    def __post_init__(self) -> None:
        check_settings(self)
        _check_range(self.geometry, self.range_deg)


def simulate(volume: Volume, how: CtSimulation) -> Volume:
    """Return the filtered back-projection of the noisy sinogram of a volume, with that sinogram beside it.

    Each axial slice `(y, x)` is projected by itself. Values below vacuum (the padding of scanners) count as
    vacuum.

    Raises
    ------
    VolumeError
        If the volume is not CT in HU, or its pixels are not square.
    SettingsError
        If the source lies inside the image.
    """
    import torch

    from napari_vol2vol.physics.noise import measured

    pixel = pixel_of(volume)
    z, height, width = volume.shape
    step = how.range_deg / how.views
    empty = MeasuredCT(
        np.zeros((z, how.views, 1), np.float32), tuple(i * step for i in range(how.views)), (height, width),
        pixel, how.bin_mm or pixel, how.geometry, how.source_distance_mm if how.geometry == "fan" else 0.0,
    )  # fmt: skip
    projector = projector_of(empty, how.bins)
    image = intensity().to_model(torch.from_numpy(np.maximum(volume.data, -1000.0)))
    sigma, gain = how.noise * float(projector(image).abs().mean()), gain_of(projector, pixel)
    y = measured(projector, image, sigma, how.measurement_seed) / gain
    scan = replace(
        empty, sinogram=y.numpy(), sigma=sigma / gain,
        origin={"simulated": True, "noise": how.noise, "measurement_seed": how.measurement_seed},
    )  # fmt: skip
    return _shown(scan, volume, f"{volume.name} · {how.views} views")


def load(path: Path, how: CtLoading) -> Volume:
    """Return the filtered back-projection of a sinogram in a file, with that sinogram beside it.

    The file says nothing of the patient: rows of the image are taken for y, columns for x.

    Raises
    ------
    VolumeError, SettingsError
        See `napari_vol2vol.io.raw_data.read_sinogram`.
    """
    from napari_vol2vol.io.raw_data import read_sinogram

    found = read_sinogram(path, how.layout or None)
    depth, views, bins = found.data.shape
    size = (how.rows or bins, how.columns or bins)
    step = how.range_deg / views
    angles = found.angles_deg or tuple(i * step for i in range(views))
    scan = MeasuredCT(
        found.data, angles, size, how.pixel_mm, how.bin_mm or how.pixel_mm, how.geometry,
        how.source_distance_mm if how.geometry == "fan" else 0.0, how.sigma,
        {"simulated": False, "file": path.name},
    )  # fmt: skip
    spacing = (how.slice_mm, how.pixel_mm, how.pixel_mm)
    grid = Volume.from_array(np.zeros((depth, *size), np.float32), spacing, units="HU", modality="CT")
    return _shown(scan, grid, path.name)


def _shown(scan: MeasuredCT, grid: Volume, name: str) -> Volume:
    data = intensity().to_physical(classical(observed_of(scan))).numpy()
    provenance = {"generated": False, "measured": scan.summary()}
    shown = grid.with_data(data, name=name, units="HU", provenance=provenance)
    return replace(shown, modality="CT", measured=scan)


def classical(observed: Observed) -> Tensor:
    """Return the filtered back-projection in model space `(D, H, W)`."""
    from napari_vol2vol.physics.filtered_back_projection import filtered_back_projection
    from napari_vol2vol.physics.projector import Projector

    assert isinstance(observed.operator, Projector)
    return filtered_back_projection(observed.operator, observed.y)


def observed_of(scan: MeasuredCT) -> Observed:
    """Return the sinogram in model space, with its projector."""
    import torch

    from napari_vol2vol.sampling.gradients import Scaled
    from napari_vol2vol.sampling.measurement import Observed

    projector = projector_of(scan)
    gain = gain_of(projector, scan.pixel_mm)
    sigma = None if scan.sigma is None else scan.sigma * gain
    return Observed(Scaled(torch.from_numpy(scan.sinogram), gain), projector, sigma)


def intensity() -> IntensityMap:
    """Return the map from model space to HU."""
    from napari_vol2vol.sampling.measurement import IntensityMap

    return IntensityMap.linear(-1000.0, TOP_HU)


def gain_of(projector: Projector, pixel_mm: float) -> float:
    """Return the measurement of model space over the line integrals of the attenuation."""
    from napari_vol2vol.physics.hounsfield import to_attenuation

    return projector.gain / (to_attenuation(TOP_HU) * pixel_mm)


def projector_of(scan: MeasuredCT, bins: int | None = None) -> Projector:
    """Return the projector of a sinogram; ``bins`` in place of its own (0: as many as see the image)."""
    return _projector(
        scan.geometry, scan.image_shape, scan.angles_deg, scan.sinogram.shape[2] if bins is None else bins,
        scan.bin_mm / scan.pixel_mm, scan.source_distance_mm / scan.pixel_mm,
    )  # fmt: skip


@lru_cache(maxsize=2)
def _projector(
    geometry: str,
    shape: tuple[int, int],
    angles_deg: tuple[float, ...],
    bins: int,
    spacing: float,
    source_distance: float,
) -> Projector:
    """Keep the last ones: a system matrix is dear to make, and serves every system run on a measurement."""
    from napari_vol2vol.physics.fan_beam import FanBeam
    from napari_vol2vol.physics.parallel_beam import ParallelBeam

    if geometry == "fan":
        return FanBeam(shape, angles_deg, bins, spacing, source_distance=source_distance)
    return ParallelBeam(shape, angles_deg, bins, spacing)


def pixel_of(volume: Volume) -> float:
    """Return the edge of a pixel in mm; refuse what is not CT, or has pixels that are not square."""
    low, high = float(volume.data.min()), float(volume.data.max())
    if low > -50 or high < 0 or low < -10_000:
        raise VolumeError(
            f"{volume.name}: found values from {low:g} to {high:g}, accepted is CT in Hounsfield units "
            "(air near -1000)"
        )
    _, dy, dx = volume.spacing_mm
    if abs(dy - dx) > 1e-3 * dx:
        raise VolumeError(
            f"{volume.name}: spacing: found pixels of {dy:g} × {dx:g} mm (y, x), accepted are square ones"
        )
    return dx


def _check_range(geometry: str, range_deg: float) -> None:
    if geometry == "fan" and range_deg != FULL_CIRCLE:
        raise SettingsError(
            f"range_deg: found {range_deg:g} for a fan beam, accepted is 360: its filtered back-projection "
            "needs the full circle"
        )
