"""Blinded copies: all arms of a case on one grid, in one dtype, one value range, one air, one header.

What is made alike, and which leak it closes: grid and field of view (shape, affine, cropping), a common range
of values (extremes), whole numbers in int16 (fractional values, dtype), everything outside the union of the
bodies set to the lowest value (padding, air and table noise), a fresh header and a code as file name (texts,
names, paths), no compression (size and time to load).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.grid import regridded
from napari_vol2vol.study.body import body_mask, is_ct
from napari_vol2vol.study.design import Harmonise
from napari_vol2vol.volume import Source, Volume, scale_affine

MR_STEPS = 4095
CT_RANGE = (-1024.0, 3071.0)
_INSIDE = 0.999


def harmonised(volumes: Mapping[str, Volume], how: Harmonise) -> dict[str, Volume]:
    """Return the volumes of one case, by arm, made alike; the grid is that of the first arm.

    Raises
    ------
    SettingsError
        If the arms share no field of view, or no range of values.
    """
    units = "HU" if any(is_ct(v, how.units) for v in volumes.values()) else "a.u."
    placed, inside = _on_one_grid(list(volumes.values()), how)
    keep = inside
    if how.body_mask:
        keep = inside & np.logical_or.reduce([body_mask(v, units) for v in placed])
    low, high = _common_range([v.data[keep] for v in placed], units)
    found = {}
    for arm, volume in zip(volumes, placed, strict=True):
        data = _whole_numbers(np.clip(volume.data, low, high), low, high, units)
        outside = (np.rint(low) if units == "HU" else 0.0) - 1.0  # no body has it: clipping is no padding
        found[arm] = _plain(np.where(keep, data, outside), placed[0], how, units)
    return found


def write_blinded(volume: Volume, path: Path) -> None:
    """Write one blinded copy as int16 NIfTI, without compression and without a record beside it."""
    from napari_vol2vol.io import write_volume

    z, y, x = volume.shape
    source = Source("blinded", "", (x, y, z), volume.affine, dtype="int16")
    plain = Volume(volume.data, volume.affine, name=path.stem, source=source)
    write_volume(plain, path, overwrite=True, record={})


def _on_one_grid(volumes: Sequence[Volume], how: Harmonise) -> tuple[list[Volume], NDArray[np.bool_]]:
    """Return all volumes on the grid of the first, and where all of them have voxels."""
    target = _target(volumes[0], how)
    placed = [v if v.same_grid(target) else v.resampled_to(target) for v in volumes]
    inside = np.ones(target.shape, bool)
    for volume in volumes:
        if not volume.same_grid(target):
            inside &= _coverage(volume, target)
    if not inside.any():
        raise SettingsError(
            f"{volumes[0].name}: found arms without a common field of view, accepted are arms that overlap"
        )
    box = tuple(slice(int(i.min()), int(i.max()) + 1) for i in np.nonzero(inside))
    start = [s.start for s in box]
    shift = np.eye(4)
    shift[:3, 3] = start[::-1]
    affine = target.affine @ shift
    return [v.with_data(v.data[box], affine=affine) for v in placed], inside[box]


def _target(first: Volume, how: Harmonise) -> Volume:
    """Return an empty volume on the grid that all arms are brought to."""
    scale = np.ones(3) if how.spacing_mm is None else np.divide(how.spacing_mm, first.spacing_mm)
    affine = regridded(first.affine, scale.tolist())
    shape = np.maximum(np.round(np.divide(first.shape, scale)), 1).astype(int)
    if how.shape is not None:
        shift = np.eye(4)
        shift[:3, 3] = ((shape - np.asarray(how.shape)) // 2)[::-1]
        affine, shape = affine @ shift, np.asarray(how.shape)
    return Volume(np.zeros(tuple(int(n) for n in shape), np.float32), affine, name=first.name)


def _coverage(volume: Volume, target: Volume) -> NDArray[np.bool_]:
    """Return where ``volume`` has voxels on the grid of ``target``."""
    marked = np.zeros(tuple(n + 2 for n in volume.shape), np.float32)
    marked[1:-1, 1:-1, 1:-1] = 1.0
    shift = np.eye(4)
    shift[:3, 3] = -1
    framed = volume.with_data(marked, affine=volume.affine @ shift)
    return np.asarray(framed.resampled_to(target).data > _INSIDE)


def _common_range(values: Sequence[NDArray[np.float32]], units: str) -> tuple[float, float]:
    """Return the largest range of values that every arm reaches at both ends."""
    low = max(float(v.min()) for v in values)
    high = min(float(v.max()) for v in values)
    if units == "HU":
        low, high = max(low, CT_RANGE[0]), min(high, CT_RANGE[1])
    if high <= low:
        raise SettingsError(
            f"values: found arms without a common range of values (the highest minimum is {low:g}, the "
            f"lowest maximum {high:g}), accepted are arms in the same units"
        )
    return low, high


def _whole_numbers(data: NDArray[np.float32], low: float, high: float, units: str) -> NDArray[np.float32]:
    if units == "HU":
        return np.asarray(np.rint(data), np.float32)
    return np.asarray(np.rint((data - low) / (high - low) * MR_STEPS), np.float32)


def _plain(data: NDArray[np.float32], like: Volume, how: Harmonise, units: str) -> Volume:
    """Return a volume whose grid says spacing only, centred on 0 mm."""
    spacing = how.spacing_mm or tuple(round(s, 4) for s in like.spacing_mm)
    centre = [-(n - 1) / 2 * s for n, s in zip(data.shape, spacing, strict=True)]
    return Volume(data, scale_affine(spacing, centre), units, name="blinded")
