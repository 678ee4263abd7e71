"""Between a file's own axis order and the closest canonical one, through nibabel's orientations."""

from __future__ import annotations

from typing import Any

import nibabel as nib
import numpy as np
from nibabel.orientations import apply_orientation, inv_ornt_aff, io_orientation, ornt_transform
from numpy.typing import NDArray

from napari_vol2vol.volume import Affine


def to_canonical(array: NDArray[Any], affine: Affine) -> tuple[NDArray[Any], Affine]:
    """Bring a file's array ``(i, j, k)`` to the closest canonical ``(z, y, x)``.

    Returns the array and the affine (4, 4) that maps its index ``(x, y, z, 1)`` to mm in RAS+. No value is
    changed.
    """
    orientation = io_orientation(affine)
    moved = apply_orientation(array, orientation)
    return moved.transpose(2, 1, 0), affine @ inv_ornt_aff(orientation, array.shape)


def from_canonical(data: NDArray[Any], affine: Affine, source_affine: Affine) -> tuple[NDArray[Any], Affine]:
    """Bring canonical ``(z, y, x)`` data to the axis order and directions of a file with ``source_affine``.

    The grid may differ from the file's (finer, cropped): only its axis codes are taken over. Returns the
    array ``(i, j, k)`` and the affine (4, 4) of its index ``(i, j, k, 1)``.
    """
    array = data.transpose(2, 1, 0)
    transform = ornt_transform(io_orientation(np.eye(4)), io_orientation(source_affine))
    return apply_orientation(array, transform), affine @ inv_ornt_aff(transform, array.shape)


def axis_codes(affine: Affine) -> str:
    """Return the directions in which the index grows, as in ``"LPS"``."""
    return "".join(nib.aff2axcodes(affine))
