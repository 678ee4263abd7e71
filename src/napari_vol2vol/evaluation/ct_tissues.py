"""Regions of a real CT whose HU say whether contrast removal did what it should, and no more."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.tasks.contrast_phase import enhanced_blood
from napari_vol2vol.volume import Volume

Mask = NDArray[np.bool_]
#: HU that bone, lung and fat have after smoothing, and how far regions keep away from others, in mm.
BONE_ABOVE, LUNG, FAT = 300.0, (-950.0, -600.0), (-130.0, -60.0)
SMOOTHING_MM, MARGIN_MM = 1.5, 4.0
#: The body is above this, in HU; what hangs together with the air outside is not inside it.
BODY_ABOVE = -400.0


def tissues(volume: Volume) -> dict[str, Mask]:
    """Return blood, bone, lung and fat of a contrast-enhanced CT `(z, y, x)`, each without its rim.

    Blood is bright and even (`contrast_phase`); bone is bright and not near blood; lung lies inside the body.
    Regions that are not in the scan are left out.
    """
    sigma = [SMOOTHING_MM / s for s in volume.spacing_mm]
    hu = ndimage.gaussian_filter(np.clip(volume.data, -1024, 2000), sigma)
    blood = enhanced_blood(volume)
    near = ndimage.distance_transform_edt(~blood, volume.spacing_mm) < MARGIN_MM
    inside = body(volume)
    found = {
        "blood": blood,
        "bone": (hu > BONE_ABOVE) & ~near & inside,
        "lung": (hu > LUNG[0]) & (hu < LUNG[1]) & inside,
        "fat": (hu > FAT[0]) & (hu < FAT[1]) & ~near & inside,
    }
    shrunk = {name: ndimage.binary_erosion(mask) for name, mask in found.items()}
    return {name: np.asarray(mask) for name, mask in shrunk.items() if mask.any()}


def body(volume: Volume) -> Mask:
    """Return the body `(z, y, x)` with its cavities, slice by slice; the table is not connected to it."""
    dense = ndimage.binary_opening(volume.data > BODY_ABOVE, iterations=2)
    marked, count = ndimage.label(dense)
    if not count:
        return np.zeros(volume.shape, bool)
    largest = marked == 1 + int(np.argmax(np.bincount(marked.ravel())[1:]))
    return np.stack([ndimage.binary_fill_holes(axial) for axial in largest])


def labelled(labels: Volume, regions: Mapping[str, tuple[int, ...]]) -> dict[str, Mask]:
    """Return masks `(z, y, x)` of a label volume, by the names given to its values.

    Raises
    ------
    SettingsError
        If a region has no voxel.
    """
    whole = labels.data.round().astype(np.int64)
    masks = {name: np.isin(whole, values) for name, values in regions.items()}
    if empty := [name for name, mask in masks.items() if not mask.any()]:
        there = ", ".join(map(str, np.unique(whole)[:40]))
        raise SettingsError(
            f"region {empty[0]}: found no voxel in {labels.name}, accepted are values among {there}"
        )
    return masks
