"""Reading NIfTI: every orientation gives the same anatomy, and every file that cannot serve says why."""

from __future__ import annotations

import gzip
import os

import nibabel as nib
import numpy as np
import pytest
from tests.io.asymmetric_phantom import AXIS_CODES, canonical_phantom, grid, on_codes, right_blob_mm

from napari_vol2vol.errors import VolumeError
from napari_vol2vol.io import read_volume

BLOB_INDEX = [7.5, 3.5, 2.5, 1.0]


@pytest.mark.parametrize("turned", [False, True], ids=["straight", "oblique"])
@pytest.mark.parametrize("codes", AXIS_CODES)
def test_all_48_axis_codes_give_the_same_volume(save_nifti, codes, turned):
    array, affine = on_codes(canonical_phantom(), grid(turned=turned), codes)
    assert "".join(nib.aff2axcodes(affine)) == codes
    volume = read_volume(save_nifti(array, affine, "p.nii"))
    np.testing.assert_array_equal(volume.data, canonical_phantom().transpose(2, 1, 0))
    np.testing.assert_allclose(volume.affine, grid(turned=turned), atol=1e-4)
    np.testing.assert_allclose(volume.spacing_mm, (2.5, 1.1, 0.9), rtol=1e-5)
    np.testing.assert_allclose(right_blob_mm(volume), (grid(turned=turned) @ BLOB_INDEX)[:3], atol=1e-3)


def test_the_48_codes_are_all_different():
    assert len(set(AXIS_CODES)) == 48


def test_a_negative_diagonal_is_flipped_with_its_offset(save_nifti):
    array, affine = canonical_phantom(), np.diag([-1.0, -1.0, 2.0, 1.0])
    volume = read_volume(save_nifti(array, affine))
    np.testing.assert_array_equal(volume.data, array[::-1, ::-1].transpose(2, 1, 0))
    np.testing.assert_allclose(volume.affine[:3, 3], (-10, -8, 0))


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.float32, np.float64, np.uint16])
def test_every_real_dtype_is_read(save_nifti, dtype):
    array = (canonical_phantom() // 4).astype(dtype)
    np.testing.assert_array_equal(read_volume(save_nifti(array)).data, array.transpose(2, 1, 0))


def test_slope_and_intercept_are_applied(save_nifti):
    header = nib.Nifti1Header()
    header.set_data_dtype(np.int16)
    array = canonical_phantom() * 0.25 - 10.0
    path = save_nifti(array, header=header)
    assert nib.load(path).dataobj.slope != 1
    np.testing.assert_allclose(read_volume(path).data, array.transpose(2, 1, 0), atol=0.01)


def test_one_frame_of_a_4d_file_is_a_volume_and_several_are_not(save_nifti):
    single = canonical_phantom()[..., None]
    assert read_volume(save_nifti(single)).shape == (7, 9, 11)
    with pytest.raises(VolumeError, match="dim: found 2 frames"):
        read_volume(save_nifti(np.concatenate([single, single], 3)))


def test_nifti_2_and_big_endian_files_are_read(tmp_path):
    array = canonical_phantom()
    nib.save(nib.Nifti2Image(array, np.eye(4)), tmp_path / "two.nii.gz")
    nib.save(nib.Nifti1Image(array, np.eye(4), nib.Nifti1Header(endianness=">")), tmp_path / "big.nii")
    for name in ("two.nii.gz", "big.nii"):
        np.testing.assert_array_equal(read_volume(tmp_path / name).data, array.transpose(2, 1, 0))


@pytest.mark.parametrize(
    ("unit", "factor"), [("meter", 1000.0), ("micron", 0.001), ("mm", 1.0), ("unknown", 1.0)]
)
def test_lengths_become_millimetres(save_nifti, unit, factor):
    header = nib.Nifti1Header()
    header.set_xyzt_units(unit)
    path = save_nifti(canonical_phantom(), np.diag([0.5, 0.5, 2.0, 1.0]), header=header)
    np.testing.assert_allclose(read_volume(path).spacing_mm, np.array([2.0, 0.5, 0.5]) * factor)


def test_ct_comes_in_hounsfield_units(save_nifti):
    volume = read_volume(save_nifti(canonical_phantom(), name="sub-01_ct.nii.gz"))
    assert (volume.modality, volume.units, volume.name) == ("CT", "HU", "sub-01_ct")


def _edit_header(path, **fields):
    """Change header fields of an uncompressed file in place."""
    raw = bytearray(path.read_bytes())
    header = nib.Nifti1Header(bytes(raw[:348]), check=False)
    for name, value in fields.items():
        header[name] = value
    raw[:348] = header.binaryblock
    path.write_bytes(raw)
    return path


def test_a_truncated_gzip_is_refused(save_nifti):
    path = save_nifti(np.random.default_rng(0).integers(0, 999, (30, 30, 30)).astype(np.int16))
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(VolumeError, match=r"image.nii.gz: found a damaged or truncated gzip stream"):
        read_volume(path)


def test_a_gzip_with_a_flipped_bit_is_refused(save_nifti):
    path = save_nifti(np.random.default_rng(0).integers(0, 999, (30, 30, 30)).astype(np.int16))
    raw = bytearray(path.read_bytes())
    raw[-5] ^= 1  # its checksum
    path.write_bytes(raw)
    with pytest.raises(VolumeError, match="damaged or truncated gzip"):
        read_volume(path)


def test_text_named_gz_or_nii_is_refused(tmp_path):
    (tmp_path / "a.nii.gz").write_text("hello")
    (tmp_path / "a.nii").write_text("hello " * 100)
    (tmp_path / "b.nii").write_bytes(b"")
    with pytest.raises(VolumeError, match="gzip"):
        read_volume(tmp_path / "a.nii.gz")
    for name in ("a.nii", "b.nii"):
        with pytest.raises(VolumeError, match="found no NIfTI header"):
            read_volume(tmp_path / name)


@pytest.mark.parametrize("zipped", [False, True])
def test_a_header_that_claims_more_than_the_file_has_is_refused_before_allocating(
    save_nifti, zipped, monkeypatch
):
    path = _edit_header(
        save_nifti(canonical_phantom(), name="a.nii"), dim=[3, 30000, 30000, 30000, 1, 1, 1, 1]
    )
    if zipped:
        (packed := path.with_suffix(".nii.gz")).write_bytes(gzip.compress(path.read_bytes()))
        path = packed
    monkeypatch.setattr(np, "empty", lambda *a, **k: pytest.fail("allocated"))
    with pytest.raises(VolumeError, match="where the header claims 54,000,000,000,352"):
        read_volume(path)


def test_a_gzip_that_ends_early_is_told_from_its_real_size(save_nifti):
    path = _edit_header(save_nifti(canonical_phantom(), name="a.nii"), dim=[3, 40, 40, 40, 1, 1, 1, 1])
    packed = path.with_suffix(".nii.gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    with pytest.raises(VolumeError, match="found 1,738 bytes where the header claims 128,352"):
        read_volume(packed)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"dim": [3, 11, 0, 7, 1, 1, 1, 1]}, "dim: found an axis without voxels"),
        ({"dim": [3, 11, -9, 7, 1, 1, 1, 1]}, "dim: found an axis without voxels"),
        ({"dim": [2, 11, 63, 1, 1, 1, 1, 1]}, "dim: found 2 axes"),
        ({"dim": [5, 11, 9, 7, 1, 3, 1, 1]}, "dim: found 1 x 3 frames"),
        ({"datatype": 128, "bitpix": 24}, "datatype: found RGB"),
        ({"datatype": 32, "bitpix": 64}, "datatype: found complex"),
        ({"datatype": 77}, "header: found .*77"),
        ({"magic": b"ni1"}, r"header: found magic .* \(a separate .img file\)"),
        ({"magic": b"xyz"}, "header: found"),
        ({"vox_offset": np.nan}, "header: found"),
        ({"scl_slope": 1, "scl_inter": np.inf}, "header: found"),
        ({"srow_x": [0, 0, 0, 0]}, "affine: found a singular matrix"),
        ({"srow_x": [np.nan, 0, 0, 0]}, "affine: found"),
    ],
)
def test_headers_that_cannot_serve_name_the_field(save_nifti, fields, message):
    path = _edit_header(save_nifti(canonical_phantom(), name="odd.nii"), **fields)
    with pytest.raises(VolumeError, match=f"(?s)odd.nii: {message}"):
        read_volume(path)


@pytest.mark.parametrize(("value", "message"), [(np.nan, "NaN or infinite"), (np.inf, "NaN or infinite")])
def test_voxels_that_are_not_finite_are_refused(save_nifti, value, message):
    array = canonical_phantom().astype(np.float32)
    array[3, 3, 3] = value
    with pytest.raises(VolumeError, match=message):
        read_volume(save_nifti(array))


def test_a_constant_image_is_refused(save_nifti):
    with pytest.raises(VolumeError, match="constant volume"):
        read_volume(save_nifti(np.full((4, 5, 6), 7, np.int16)))


def test_paths_that_cannot_be_read_say_so(save_nifti, tmp_path, monkeypatch):
    with pytest.raises(VolumeError, match=r"nowhere.nii: found no such file or folder"):
        read_volume(tmp_path / "nowhere.nii")
    (tmp_path / "image.png").write_bytes(b"\x89PNG")
    with pytest.raises(
        VolumeError, match=r"found the extension '.png', accepted are .nii, .nii.gz and DICOM"
    ):
        read_volume(tmp_path / "image.png")
    path = save_nifti(canonical_phantom())
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(VolumeError, match="found no permission to read"):
        read_volume(path)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_refused(save_nifti):
    path = save_nifti(canonical_phantom())
    path.chmod(0)
    with pytest.raises(VolumeError, match="permission"):
        read_volume(path)
