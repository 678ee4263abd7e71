#!/usr/bin/env python3
"""Make phantoms/data/icbm152_tissues.nii.gz from the ICBM 152 tissue maps shipped in nilearn.

    make_tissue_maps.py GM.nii.gz WM.nii.gz OUT.nii.gz

Six probability maps on the template's 1 mm grid, uint8 (250 = 1, in steps of 10): CSF, grey matter, white
matter, bone, soft tissue, fat.
"""

import sys

import nibabel as nib
import numpy as np
from scipy import ndimage


def main(gm_path: str, wm_path: str, out_path: str) -> None:
    """Write the maps."""
    image = nib.as_closest_canonical(nib.load(gm_path))
    gm, wm = (
        np.asarray(nib.as_closest_canonical(nib.load(p)).dataobj, dtype=np.float32)
        for p in (gm_path, wm_path)
    )
    gm, wm = np.clip(gm / gm.max(), 0, 1), np.clip(wm / wm.max(), 0, 1)
    brain = ndimage.binary_fill_holes(ndimage.binary_closing(gm + wm > 0.3, iterations=4))
    csf = np.where(brain, np.clip(1 - gm - wm, 0, 1), 0)
    # the template is skull-stripped: shells stand for skull and scalp
    depth = ndimage.distance_transform_edt(~brain)
    rng = np.random.default_rng(0)
    thickness = ndimage.zoom(rng.normal(1, 0.18, (6, 6, 6)), [n / 6 for n in depth.shape], order=3)
    depth = depth / np.clip(thickness, 0.6, 1.5)
    csf = np.maximum(csf, (depth > 0) & (depth < 2.5))
    bone = (depth >= 2.5) & (depth < 8)
    diploe = (depth >= 4.2) & (depth < 6.2)
    fat = (depth >= 8) & (depth < 12.5)
    soft = (depth >= 12.5) & (depth < 15)
    maps = [
        csf,
        gm,
        wm,
        np.where(diploe, 0.55, bone),
        np.where(diploe, 0.25, soft),
        np.where(diploe, 0.2, fat),
    ]
    smooth = [ndimage.gaussian_filter(np.asarray(m, np.float32), 0.5) for m in maps]
    # steps of 10: half the size
    data = np.stack([np.round(np.clip(m, 0, 1) * 25) * 10 for m in smooth], -1).astype(np.uint8)
    nib.save(nib.Nifti1Image(data, image.affine), out_path)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
