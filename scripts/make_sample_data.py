#!/usr/bin/env python3
"""Make sample_data/ from colin27 (`scripts/fetch_volumes.py colin27`): the head, a block, its 4x low twin.

And the centre of a procedural head with a lesion, in T1ce, FLAIR and 4x low FLAIR, and a procedural torso in
native and arterial CT.

make_sample_data.py COLIN27.nii.gz [SAMPLE_DATA_FOLDER]
"""

import sys
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np

from napari_vol2vol.evaluation.super_resolution_table import central_block
from napari_vol2vol.io import read_volume, write_volume
from napari_vol2vol.phantoms.brain import Contrast, make_anatomy, paint
from napari_vol2vol.phantoms.torso_ct import make_torso_pair
from napari_vol2vol.tasks import get_task
from napari_vol2vol.volume import Volume

SIZE = 96
HEAD_SEED = 930001
HEAD_SHAPE = (160, 192, 160)
LEVELS = 1000
TORSO_SEED = 950001
TORSO_GRID = ((40, 128, 152), (4.0, 2.6, 2.6))


def write_procedural(target: Path) -> None:
    """Write the procedural head: one anatomy, two contrasts, whole numbers up to about 1000."""
    anatomy = make_anatomy(HEAD_SEED, HEAD_SHAPE, lesion=True)
    contrasts: tuple[Contrast, ...] = ("T1ce", "FLAIR")
    for contrast in contrasts:
        array = np.round(LEVELS * paint(anatomy, contrast, HEAD_SEED)).astype(np.float32)
        head = Volume.from_array(array, modality=contrast, name=f"procedural_{contrast}")
        block = central_block(head, SIZE, scaled=False)
        image = nib.Nifti1Image(block.data.T.astype(np.int16), block.affine)
        image.header.set_xyzt_units("mm")
        nib.save(image, target / f"procedural_{contrast}.nii.gz")
    low = get_task("super-resolution").degrade(block)
    write_volume(low, target / "procedural_FLAIR_low.nii.gz", overwrite=True)


def write_torso(target: Path) -> None:
    """Write the procedural torso natively and in the arterial phase, in whole HU."""
    shape, (dz, dy, dx) = TORSO_GRID
    pair = make_torso_pair(TORSO_SEED, *TORSO_GRID, breathing_mm=0.0, noise=8.0)
    origin = [-(n - 1) / 2 * s for n, s in zip(reversed(shape), (dx, dy, dz), strict=True)]
    affine = np.diag([dx, dy, dz, 1.0])
    affine[:3, 3] = origin
    for phase, hu in (("native", pair.native), ("arterial", pair.contrast)):
        image = nib.Nifti1Image(np.round(hu).T.astype(np.int16), affine)
        image.header.set_xyzt_units("mm")
        nib.save(image, target / f"procedural_torso_{phase}_CT.nii.gz")


def main(source: str, folder: str = "sample_data") -> None:
    """Write the three sample volumes."""
    head = replace(read_volume(source), name="colin27_T1w", modality="T1w")
    target = Path(folder)
    write_volume(head, target / "colin27_T1w.nii.gz", overwrite=True)
    block = central_block(head, SIZE, scaled=False)
    write_volume(block, target / "colin27_T1w_block.nii.gz", overwrite=True)
    low = get_task("super-resolution").degrade(block)
    write_volume(low, target / "colin27_T1w_block_low.nii.gz", overwrite=True)
    write_procedural(target)
    write_torso(target)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(*sys.argv[1:])
