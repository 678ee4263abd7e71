"""An asymmetric phantom whose landmarks sit at known places of the patient, on any grid."""

from __future__ import annotations

from itertools import permutations, product

import nibabel as nib
import numpy as np

AXIS_CODES = [
    "".join(pair[flip] for pair, flip in zip(order, flips, strict=True))
    for order in permutations(("LR", "PA", "IS"))
    for flips in product((0, 1), repeat=3)
]


def canonical_phantom(shape_xyz=(11, 9, 7)):
    """Return an int16 array (x, y, z): a body, a blob on the right, a smaller one in front, a mark on top."""
    array = np.zeros(shape_xyz, np.int16)
    array[1:-1, 1:-1, 1:-1] = 100
    array[-4:-2, 3:5, 2:4] = 900  # right
    array[3:5, -3:-2, 2:4] = 500  # anterior
    array[4:6, 3:5, -2] = 300  # superior
    array[2, 2, 2] = 37
    return array


def on_codes(array_xyz, affine, codes):
    """Return the same anatomy stored in another axis order: array (i, j, k) and its affine."""
    transform = nib.orientations.axcodes2ornt(codes)
    transform = nib.orientations.ornt_transform(nib.orientations.axcodes2ornt("RAS"), transform)
    moved = nib.orientations.apply_orientation(array_xyz, transform)
    return np.ascontiguousarray(moved), affine @ nib.orientations.inv_ornt_aff(transform, array_xyz.shape)


def rotation(degrees_x=12.0, degrees_z=-17.0):
    """Return a rotation (3, 3) about x, then z."""
    x, z = np.radians([degrees_x, degrees_z])
    about_x = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
    about_z = np.array([[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]])
    return about_z @ about_x


def grid(spacing_xyz=(0.9, 1.1, 2.5), origin=(-20.0, 13.0, 44.0), turned=False):
    """Return an affine (4, 4) with anisotropic spacing, oblique if ``turned``."""
    affine = np.eye(4)
    affine[:3, :3] = (rotation() if turned else np.eye(3)) * np.asarray(spacing_xyz)
    affine[:3, 3] = origin
    return affine


def right_blob_mm(volume):
    """Return where the blob on the right lies in mm RAS+, as the centre of the voxels of 800 or more."""
    z, y, x = np.argwhere(volume.data > 800).mean(axis=0)
    return (volume.affine @ [x, y, z, 1.0])[:3]
