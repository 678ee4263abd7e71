"""Reading DICOM: series sorted by position, and everything that is not one series refused with a list."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
from pydicom.uid import generate_uid
from tests.io.asymmetric_phantom import canonical_phantom, grid, on_codes, right_blob_mm
from tests.io.synthetic_dicom import (
    write_colour,
    write_enhanced,
    write_slices,
    write_structure_set,
)

from napari_vol2vol.errors import VolumeError
from napari_vol2vol.io import read_volume, write_volume
from napari_vol2vol.volume import Volume

BLOB_INDEX = [7.5, 3.5, 2.5, 1.0]
STANDARD = ["LPS", "LPI", "PIR", "PIL", "LIP", "RIA"]  # axial, sagittal and coronal stacks both ways


def series(folder, codes="LPS", turned=False, **keywords):
    array, affine = on_codes(canonical_phantom(), grid(turned=turned), codes)
    return write_slices(folder, array, affine, **keywords)


@pytest.mark.parametrize("turned", [False, True], ids=["straight", "oblique"])
@pytest.mark.parametrize("codes", STANDARD)
def test_every_stacking_gives_the_same_volume(tmp_path, codes, turned):
    volume = read_volume(series(tmp_path / "s", codes, turned))
    np.testing.assert_array_equal(volume.data, canonical_phantom().transpose(2, 1, 0))
    np.testing.assert_allclose(volume.affine, grid(turned=turned), atol=1e-6)


def test_left_right_survives_dicom_layer_nifti_and_back(tmp_path):
    layers = pytest.importorskip("napari.layers")
    expected = (grid(turned=True) @ BLOB_INDEX)[:3]
    first = read_volume(series(tmp_path / "s", "PIL", turned=True, modality="CT", intercept=-1024))
    data, keywords, _ = first.to_layer()
    layer = layers.Image(data, **keywords)
    second = Volume.from_layer(layer.data, layer.scale, layer.translate, layer.metadata, layer.name)
    write_volume(second, tmp_path / "out_ct.nii.gz")
    third = read_volume(tmp_path / "out_ct.nii.gz")
    for volume in (first, second, third):
        np.testing.assert_allclose(right_blob_mm(volume.with_data(volume.data + 1024)), expected, atol=1e-3)
        assert volume.same_grid(first)
        np.testing.assert_array_equal(volume.data, first.data)
        assert volume.units == "HU"


def test_ct_comes_in_hounsfield_units(tmp_path):
    volume = read_volume(series(tmp_path / "s", modality="CT", slope=2.0, intercept=-1024.0))
    np.testing.assert_array_equal(volume.data, canonical_phantom().transpose(2, 1, 0) * 2.0 - 1024)
    assert (volume.units, volume.modality, volume.source.dtype) == ("HU", "CT", "int16")


def test_each_slice_has_its_own_rescaling(tmp_path):
    slopes = np.linspace(0.5, 2.0, 7)
    volume = read_volume(series(tmp_path / "s", "LPS", slope=slopes))
    np.testing.assert_allclose(
        volume.data, canonical_phantom().transpose(2, 1, 0) * slopes[:, None, None], rtol=1e-6
    )
    assert volume.source.dtype == "float32"


def test_one_file_of_a_series_reads_the_series_among_others(tmp_path):
    series(tmp_path / "s", "LPS", prefix="a")
    other = canonical_phantom() * 2
    write_slices(tmp_path / "s", other, grid(), prefix="b")
    assert read_volume(tmp_path / "s" / "a003.dcm").data.max() == 900
    assert read_volume(tmp_path / "s" / "b003.dcm").data.max() == 1800


def test_a_file_without_extension_is_known_by_its_magic(tmp_path):
    folder = series(tmp_path / "s")
    for file in folder.iterdir():
        file.rename(file.with_suffix(""))
    assert read_volume(folder).shape == read_volume(next(folder.iterdir())).shape == (7, 9, 11)


def test_nested_folders_reports_and_other_files_are_passed_over(tmp_path):
    series(tmp_path / "study" / "s" / "DICOM")
    write_structure_set(tmp_path / "study" / "rt" / "structures.dcm")
    (tmp_path / "study" / "notes.txt").write_text("hello")
    (tmp_path / "study" / "broken.dcm").write_text("hello")
    assert read_volume(tmp_path / "study").shape == (7, 9, 11)


@pytest.mark.parametrize("codes", ["LPS", "PIR"])
def test_enhanced_multi_frame_objects_are_sorted_and_rescaled(tmp_path, codes):
    array, affine = on_codes(canonical_phantom(), grid(turned=True), codes)
    volume = read_volume(write_enhanced(tmp_path / "e.dcm", array, affine))
    np.testing.assert_array_equal(volume.data, canonical_phantom().transpose(2, 1, 0) * 2.0 + 5)
    np.testing.assert_allclose(volume.affine, grid(turned=True), atol=1e-6)
    assert volume.modality == "T2w"


def test_a_multi_frame_object_without_groups_is_refused(tmp_path):
    path = write_enhanced(tmp_path / "e.dcm", canonical_phantom(), grid(), groups=False)
    with pytest.raises(VolumeError, match="NumberOfFrames: found 7 frames without functional groups"):
        read_volume(path)


def test_gaps_are_listed(tmp_path):
    folder = series(tmp_path / "s", keep=[0, 1, 2, 4, 5, 6], shuffle=False)
    with pytest.raises(
        VolumeError,
        match=r"(?s)gaps between slices.*2.50 mm here:\n  5.00 mm between im002.dcm and im004.dcm",
    ):
        read_volume(folder)


def test_duplicate_positions_are_listed(tmp_path):
    uid = generate_uid()
    series(tmp_path / "s", series_uid=uid, shuffle=False)
    series(tmp_path / "s", series_uid=uid, keep=[2, 5], prefix="again", shuffle=False)
    with pytest.raises(
        VolumeError, match=r"(?s)found 2 duplicate slice positions.*again002.dcm.*again005.dcm"
    ):
        read_volume(tmp_path / "s")


def test_two_series_in_a_folder_are_listed_with_a_file_to_open(tmp_path):
    series(tmp_path / "s", prefix="a", SeriesDescription="t1_mprage")
    series(tmp_path / "s", prefix="b", SeriesDescription="t2_tse", keep=range(5))
    with pytest.raises(
        VolumeError, match=r"(?s)2 image series.*t1_mprage: 7 files, as a000.*t2_tse: 5 files, as b0"
    ):
        read_volume(tmp_path / "s")


@pytest.mark.parametrize(("turned", "spacing"), [(True, (0.9, 1.1, 2.5)), (False, (0.5, 1.1, 2.5))])
def test_slices_of_different_kinds_in_one_series_are_listed(tmp_path, turned, spacing):
    uid = generate_uid()
    series(tmp_path / "s", series_uid=uid)
    write_slices(
        tmp_path / "s", canonical_phantom(), grid(spacing, (0, 0, 99), turned), series_uid=uid, prefix="odd"
    )
    with pytest.raises(VolumeError, match=r"(?s)mixed series.*7 slices of .*7 slices of "):
        read_volume(tmp_path / "s")


def test_slices_beside_the_line_are_listed(tmp_path):
    folder = series(tmp_path / "s", shuffle=False)
    dataset = pydicom.dcmread(folder / "im003.dcm")
    dataset.ImagePositionPatient = [dataset.ImagePositionPatient[0] + 3, *dataset.ImagePositionPatient[1:]]
    dataset.save_as(folder / "im003.dcm")
    with pytest.raises(VolumeError, match=r"(?s)beside the common line.*3.00 mm: im003.dcm"):
        read_volume(folder)


def test_a_single_slice_takes_its_thickness(tmp_path):
    assert read_volume(series(tmp_path / "s", keep=[2])).spacing_mm[0] == pytest.approx(2.5)


def test_colours_are_refused(tmp_path):
    with pytest.raises(VolumeError, match=r"rgb.dcm: SamplesPerPixel: found 3 \(RGB colours\)"):
        read_volume(write_colour(tmp_path / "c"))


def test_objects_that_are_no_image_are_named(tmp_path):
    path = write_structure_set(tmp_path / "rt" / "rs.dcm")
    for target in (path, path.parent):
        with pytest.raises(VolumeError, match=r"RTSTRUCT .RT Structure Set Storage., accepted"):
            read_volume(target)


def test_other_modalities_are_refused(tmp_path):
    with pytest.raises(VolumeError, match=r"found PT .MR Image Storage., accepted are CT and MR"):
        read_volume(series(tmp_path / "s", Modality="PT") / "im000.dcm")


@pytest.mark.parametrize("tag", ["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"])
def test_a_missing_place_is_named(tmp_path, tag):
    folder = series(tmp_path / "s", shuffle=False)
    dataset = pydicom.dcmread(folder / "im003.dcm")
    delattr(dataset, tag)
    dataset.save_as(folder / "im003.dcm")
    with pytest.raises(VolumeError, match=f"im003.dcm: {tag}: found nothing"):
        read_volume(folder)


def test_cut_off_pixels_are_refused(tmp_path):
    folder = series(tmp_path / "s", shuffle=False)
    dataset = pydicom.dcmread(folder / "im003.dcm")
    dataset.PixelData = dataset.PixelData[:40]
    dataset.save_as(folder / "im003.dcm")
    with pytest.raises(
        VolumeError, match=r"im003.dcm: pixels could not be decoded \(Explicit VR Little Endian\)"
    ):
        read_volume(folder)


def test_empty_folders_text_and_constants_are_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.dcm").write_text("hello")
    with pytest.raises(VolumeError, match="empty: found no DICOM files"):
        read_volume(tmp_path / "empty")
    with pytest.raises(VolumeError, match=r"text.dcm: found a file that is not DICOM"):
        read_volume(tmp_path / "text.dcm")
    flat = write_slices(tmp_path / "flat", np.full((5, 4, 3), 8, np.int16), grid())
    with pytest.raises(VolumeError, match="constant volume"):
        read_volume(flat)


def test_no_tag_that_identifies_the_patient_is_kept(tmp_path):
    volume = read_volume(
        series(tmp_path / "s", PatientID="secret", PatientBirthDate="19700101", EchoTime=3.5)
    )
    assert volume.source.header["EchoTime"] == "3.5"
    assert not {"secret", "19700101", "Phantom^Asymmetric"} & set(volume.source.header.values())
