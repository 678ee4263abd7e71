"""Writing keeps grid, axis order, header and dtype; files are there completely or not at all."""

from __future__ import annotations

import errno
import json
import os

import nibabel as nib
import numpy as np
import pytest
from tests.io.asymmetric_phantom import AXIS_CODES, canonical_phantom, grid, on_codes, right_blob_mm

from napari_vol2vol.errors import VolumeError
from napari_vol2vol.io import read_volume, write_volume
from napari_vol2vol.io.nifti_write import nifti_image
from napari_vol2vol.io.provenance import build_record
from napari_vol2vol.volume import Volume


def finer(volume, factor=2):
    """Return the volume on a finer grid over the same field of view, as super-resolution does."""
    halves = np.eye(4)
    halves[:3, :3] /= factor
    halves[:3, 3] = (1 / factor - 1) / 2
    data = volume.data
    for axis in range(3):
        data = np.repeat(data, factor, axis)
    return volume.with_data(data, affine=volume.affine @ halves, name="fine")


@pytest.mark.parametrize("codes", AXIS_CODES)
def test_every_axis_order_comes_back_bit_for_bit(save_nifti, tmp_path, codes):
    array, affine = on_codes(canonical_phantom(), grid(turned=True), codes)
    source = nib.load(save_nifti(array, affine, "s.nii", sform=2, qform=1))
    write_volume(read_volume(tmp_path / "s.nii"), tmp_path / "t.nii")
    back = nib.load(tmp_path / "t.nii")
    np.testing.assert_array_equal(np.asarray(back.dataobj), array)
    assert back.get_data_dtype() == np.int16
    assert (int(back.header["sform_code"]), int(back.header["qform_code"])) == (2, 1)
    np.testing.assert_allclose(back.get_sform(), source.get_sform(), atol=1e-5)
    np.testing.assert_allclose(back.get_qform(), source.get_qform(), atol=1e-4)


@pytest.mark.parametrize("codes", ["RAS", "LPS", "PIR", "ASL", "IRP", "SAL"])
def test_a_finer_grid_keeps_axis_order_codes_and_place(save_nifti, tmp_path, codes):
    array, affine = on_codes(canonical_phantom(), grid(turned=True), codes)
    volume = read_volume(save_nifti(array, affine, sform=4, qform=1))
    fine = finer(volume)
    write_volume(fine, tmp_path / "fine.nii.gz")
    image = nib.load(tmp_path / "fine.nii.gz")
    assert "".join(nib.aff2axcodes(image.affine)) == codes
    assert image.shape == tuple(2 * n for n in array.shape)
    assert (int(image.header["sform_code"]), int(image.header["qform_code"])) == (4, 1)
    np.testing.assert_allclose(image.get_qform(), image.get_sform(), atol=1e-3)
    np.testing.assert_allclose(
        image.header.get_zooms(), np.linalg.norm(affine[:3, :3], axis=0) / 2, rtol=1e-5
    )
    back = read_volume(tmp_path / "fine.nii.gz")
    assert back.same_grid(fine)
    np.testing.assert_allclose(right_blob_mm(back), right_blob_mm(volume), atol=1e-3)


@pytest.mark.parametrize(("sform", "qform"), [(0, 0), (0, 1), (1, 0), (3, 2)])
def test_form_codes_are_kept_or_set_where_there_were_none(save_nifti, tmp_path, sform, qform):
    affine = np.diag([-0.9, 1.1, 2.5, 1.0])
    volume = read_volume(save_nifti(canonical_phantom(), affine, sform=sform, qform=qform))
    write_volume(volume, tmp_path / "same.nii")
    write_volume(finer(volume), tmp_path / "fine.nii")
    same, fine = (nib.load(tmp_path / name).header for name in ("same.nii", "fine.nii"))
    assert (int(same["sform_code"]), int(same["qform_code"])) == (sform, qform)
    assert (int(fine["sform_code"]), int(fine["qform_code"])) == (
        (sform, qform) if sform or qform else (2, 0)
    )
    assert read_volume(tmp_path / "same.nii").same_grid(volume)
    assert read_volume(tmp_path / "fine.nii").same_grid(finer(volume))


def test_two_different_spaces_both_follow_a_finer_grid(save_nifti, tmp_path):
    image = nib.Nifti1Image(canonical_phantom(), grid())
    image.set_sform(grid((1, 1, 2), (5, 6, 7)), 4)
    image.set_qform(grid(turned=True), 1)
    nib.save(image, tmp_path / "two.nii")
    write_volume(finer(read_volume(tmp_path / "two.nii")), tmp_path / "fine.nii")
    fine = nib.load(tmp_path / "fine.nii")
    for form in ("get_sform", "get_qform"):
        old, new = getattr(image, form)(), getattr(fine, form)()
        np.testing.assert_allclose(new[:3, :3] * 2, old[:3, :3], atol=2e-3)
        np.testing.assert_allclose(new @ [14.5, 6.5, 4.5, 1], old @ [7, 3, 2, 1], atol=2e-3)


def test_the_rest_of_the_header_is_kept(save_nifti, tmp_path):
    header = nib.Nifti1Header()
    header["descrip"], header["intent_name"], header["aux_file"] = b"FreeSurfer", b"T1", b"none"
    header.set_xyzt_units("meter", "sec")
    volume = read_volume(save_nifti(canonical_phantom(), np.diag([0.001, 0.001, 0.002, 1]), header=header))
    write_volume(volume, tmp_path / "t.nii")
    back = nib.load(tmp_path / "t.nii")
    assert back.header.get_xyzt_units() == ("meter", "sec")
    assert bytes(back.header["intent_name"]).rstrip(b"\0") == b"T1"
    assert bytes(back.header["descrip"].item()) == b"FreeSurfer"
    np.testing.assert_allclose(back.affine, np.diag([0.001, 0.001, 0.002, 1]), rtol=1e-6)


@pytest.mark.parametrize("kind", [nib.Nifti2Image, nib.Nifti1Image])
def test_the_nifti_version_is_kept_and_big_endian_is_swapped(tmp_path, kind):
    header = kind.header_class(endianness=">")
    nib.save(kind(canonical_phantom(), grid(), header), tmp_path / "s.nii")
    write_volume(read_volume(tmp_path / "s.nii"), tmp_path / "t.nii")
    back = nib.load(tmp_path / "t.nii")
    assert type(back) is kind
    np.testing.assert_array_equal(np.asarray(back.dataobj), canonical_phantom())


def _scaled(save_nifti):
    header = nib.Nifti1Header()
    header.set_data_dtype(np.int16)
    return save_nifti(np.random.default_rng(0).uniform(-3, 900, (9, 8, 7)), header=header)


def test_a_scaled_integer_source_keeps_its_slope(save_nifti, tmp_path):
    path = _scaled(save_nifti)
    write_volume(read_volume(path), tmp_path / "t.nii")
    old, new = nib.load(path).dataobj, nib.load(tmp_path / "t.nii").dataobj
    assert (new.slope, new.inter) == (old.slope, old.inter)
    np.testing.assert_array_equal(new.get_unscaled(), old.get_unscaled())


def test_integers_are_kept_where_they_hold_the_values(save_nifti):
    volume = read_volume(save_nifti(np.random.default_rng(0).integers(0, 256, (9, 8, 7)).astype(np.uint8)))
    overshoot = volume.data * 1.005 - 0.4
    image = nifti_image(volume.with_data(overshoot))
    assert image.get_data_dtype() == np.uint8
    np.testing.assert_allclose(
        np.asarray(image.dataobj).transpose(2, 1, 0), np.clip(overshoot, 0, 255), atol=0.51
    )


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda v: v / 300, "an uncertainty map spans too few steps"),
        (lambda v: v - 128, "an error map is negative"),
        (lambda v: v * 2, "values beyond the dtype would be clipped"),
    ],
)
def test_otherwise_the_result_is_float32_without_scaling(save_nifti, change, why):
    volume = read_volume(save_nifti(np.random.default_rng(0).integers(0, 256, (9, 8, 7)).astype(np.uint8)))
    changed = volume.with_data(change(volume.data))
    image = nifti_image(changed)
    assert image.get_data_dtype() == np.float32, why
    np.testing.assert_array_equal(np.asarray(image.dataobj).transpose(2, 1, 0), changed.data)


def test_few_grey_values_on_the_steps_of_the_source_stay_integers(save_nifti):
    volume = read_volume(save_nifti((canonical_phantom() > 0).astype(np.uint8)))
    assert nifti_image(volume).get_data_dtype() == np.uint8


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_float_sources_are_written_as_float32(save_nifti, dtype):
    volume = read_volume(save_nifti(canonical_phantom().astype(dtype)))
    assert nifti_image(volume).get_data_dtype() == np.float32


def test_a_volume_without_source_is_written_as_it_is(tmp_path):
    volume = Volume.from_array(canonical_phantom().transpose(2, 1, 0), affine=grid(turned=True))
    write_volume(volume, tmp_path / "new.nii.gz")
    image = nib.load(tmp_path / "new.nii.gz")
    assert nib.aff2axcodes(image.affine) == ("R", "A", "S")
    assert image.header.get_xyzt_units()[0] == "mm"
    assert read_volume(tmp_path / "new.nii.gz").same_grid(volume)


def test_a_generated_volume_says_so_in_its_header_and_its_sidecar(save_nifti, tmp_path):
    volume = read_volume(save_nifti(canonical_phantom()))
    record = build_record(task="super-resolution", seed=4)
    written = write_volume(volume, tmp_path / "out.nii.gz", record=record)
    assert [p.name for p in written] == ["out.nii.gz", "out.json"]
    descrip = nib.load(written[0]).header["descrip"].item()
    assert descrip == b"AI-generated"
    assert len(descrip) <= 80
    assert json.loads(written[1].read_text()) == json.loads(json.dumps(record))
    assert read_volume(written[0]).provenance["seed"] == 4


def test_nothing_is_overwritten_silently(save_nifti, tmp_path):
    volume = read_volume(save_nifti(canonical_phantom()))
    target = tmp_path / "t.nii.gz"
    write_volume(volume, target)
    before = target.read_bytes()
    with pytest.raises(
        VolumeError, match=r"t.nii.gz: found an existing file, accepted is a new name or overwrite"
    ):
        write_volume(volume.with_data(volume.data * 2), target)
    assert target.read_bytes() == before
    write_volume(volume.with_data(volume.data * 2), target, overwrite=True)
    assert read_volume(target).data.max() == 1800


def test_an_existing_sidecar_alone_stops_the_writing_too(save_nifti, tmp_path):
    volume = read_volume(save_nifti(canonical_phantom()))
    write_volume(volume, tmp_path / "t.nii", record=build_record())
    (tmp_path / "t.nii").unlink()
    with pytest.raises(VolumeError, match=r"t.json: found an existing file"):
        write_volume(volume, tmp_path / "t.nii", record=build_record())
    assert not (tmp_path / "t.nii").exists()


def test_a_bids_sidecar_is_never_replaced(save_nifti, tmp_path):
    volume = read_volume(save_nifti(canonical_phantom()))
    (tmp_path / "t.json").write_text('{"RepetitionTime": 2}')
    with pytest.raises(VolumeError, match=r"t.json: found a sidecar that napari-vol2vol did not write"):
        write_volume(volume, tmp_path / "t.nii", record=build_record(), overwrite=True)
    write_volume(volume, tmp_path / "t.nii")
    assert (tmp_path / "t.json").read_text() == '{"RepetitionTime": 2}'


def test_the_record_of_a_replaced_image_goes_with_it(save_nifti, tmp_path):
    volume = read_volume(save_nifti(canonical_phantom()))
    write_volume(volume, tmp_path / "t.nii", record=build_record())
    write_volume(volume, tmp_path / "t.nii", overwrite=True)
    assert not (tmp_path / "t.json").exists()


@pytest.mark.parametrize("fails", ["fsync", "replace"])
def test_a_full_disk_leaves_no_trace(save_nifti, tmp_path, monkeypatch, fails):
    volume = read_volume(save_nifti(canonical_phantom()))
    folder = tmp_path / "results"
    folder.mkdir()
    (folder / "t.nii.gz").write_bytes(b"precious")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, fails, full)
    with pytest.raises(VolumeError, match=r"t.nii.gz: could not be written, .*No space left"):
        write_volume(volume, folder / "t.nii.gz", overwrite=True, record=build_record())
    assert [p.name for p in folder.iterdir()] == ["t.nii.gz"]
    assert (folder / "t.nii.gz").read_bytes() == b"precious"


def test_an_interrupted_writing_leaves_no_trace(save_nifti, tmp_path, monkeypatch):
    volume = read_volume(save_nifti(canonical_phantom()))
    (folder := tmp_path / "results").mkdir()
    monkeypatch.setattr(os, "fsync", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        write_volume(volume, folder / "t.nii")
    assert not list(folder.iterdir())


@pytest.mark.parametrize("name", ["t.png", "t", "missing/t.nii"])
def test_names_that_cannot_be_written_are_refused(save_nifti, tmp_path, name):
    volume = read_volume(save_nifti(canonical_phantom()))
    with pytest.raises(VolumeError, match=r"accepted are .nii and .nii.gz|could not be written"):
        write_volume(volume, tmp_path / name)


def test_equal_volumes_give_equal_files(save_nifti, tmp_path):
    volume = read_volume(save_nifti(canonical_phantom()))
    one, two = (write_volume(volume, tmp_path / name)[0].read_bytes() for name in ("a.nii.gz", "b.nii.gz"))
    assert one == two
