"""Several fetched series of one patient on one grid: what a real pair of modalities is compared on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from napari_vol2vol.grid import regridded
from napari_vol2vol.io import read_volume
from napari_vol2vol.volume import Volume


def isotropic(volume: Volume, spacing_mm: float) -> Volume:
    """Return a volume on cubic voxels over the same field of view, by linear interpolation."""
    ratio = [s / spacing_mm for s in volume.spacing_mm]
    shape = tuple(max(1, round(n * r)) for n, r in zip(volume.shape, ratio, strict=True))
    affine = regridded(volume.affine, [1 / r for r in ratio])
    empty = volume.with_data(np.broadcast_to(np.float32(0), shape), affine=affine)
    return volume.resampled_to(empty)


def on_one_grid(files: Mapping[str, Path], target: str, spacing_mm: float | None) -> dict[str, Volume]:
    """Return series by modality on the grid of the target, by what their headers say of where they lie.

    Nothing is registered: that would make one series look like another. Outside its field of view a series
    has its smallest value.

    Parameters
    ----------
    spacing_mm : float, optional
        Edge of the voxels that the target is brought to first (None: its own).
    """
    read = {m: replace(read_volume(path), modality=m, source=None) for m, path in files.items()}
    first = read[target] if spacing_mm is None else isotropic(read[target], spacing_mm)
    return {m: first if m == target else volume.resampled_to(first) for m, volume in read.items()}
