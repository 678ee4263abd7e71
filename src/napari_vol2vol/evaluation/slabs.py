"""A slab of a volume, small enough that every reconstruction of a suite can be run on it."""

from __future__ import annotations

import numpy as np

from napari_vol2vol.errors import VolumeError
from napari_vol2vol.evaluation.suite_entries import Slab
from napari_vol2vol.grid import regridded
from napari_vol2vol.volume import Volume


def slab_of(volume: Volume, slab: Slab) -> Volume:
    """Return axial slices of a volume, square, resampled to ``slab.size`` pixels a side.

    The slices are those around ``slab.centre``, a share of the height. Their shorter side is filled up evenly
    with the lowest value first, and they are smoothed before they get coarser (`skimage.transform.resize`).

    Raises
    ------
    VolumeError
        If the volume has fewer slices.
    """
    from skimage.transform import resize

    depth, height, width = volume.shape
    if depth < slab.slices:
        raise VolumeError(
            f"{volume.name}: found {depth} axial slices, accepted are {slab.slices} or more for this suite"
        )
    first = min(max(round(slab.centre * depth - slab.slices / 2), 0), depth - slab.slices)
    _, dy, dx = volume.spacing_mm
    side = max(height * dy, width * dx)
    rows, columns = round(side / dy), round(side / dx)
    low, left = (rows - height) // 2, (columns - width) // 2
    cut = volume.data[first : first + slab.slices]
    padding = ((0, 0), (low, rows - height - low), (left, columns - width - left))
    square = np.pad(cut, padding, constant_values=float(cut.min()))
    shape = (slab.slices, slab.size, slab.size)
    data = resize(square, shape, order=1, anti_aliasing=True, preserve_range=True)
    affine = volume.affine.copy()
    affine[:3, 3] = (affine @ [-left, -low, first, 1])[:3]
    return volume.with_data(data, affine=regridded(affine, [1.0, rows / slab.size, columns / slab.size]))
