"""Save small NIfTI files."""

import nibabel as nib
import numpy as np
import pytest


@pytest.fixture
def save_nifti(tmp_path):
    """Return a function that saves an array as NIfTI and returns its path."""

    def save(array, affine=None, name="image.nii.gz", sform=1, qform=1, header=None):
        image = nib.Nifti1Image(array, np.eye(4) if affine is None else affine, header)
        image.set_sform(image.affine, sform)
        image.set_qform(image.affine, qform)
        path = tmp_path / name
        nib.save(image, path)
        return path

    return save
