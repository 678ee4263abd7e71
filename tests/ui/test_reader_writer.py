"""The npe2 reader and writer: called as napari calls them, on real layers."""

from __future__ import annotations

import json

import nibabel as nib
import numpy as np
import pytest
from tests.io.asymmetric_phantom import canonical_phantom, grid, on_codes
from tests.io.synthetic_dicom import write_slices, write_structure_set

from napari_vol2vol.errors import VolumeError
from napari_vol2vol.io.provenance import build_record
from napari_vol2vol.ui._reader import napari_get_reader
from napari_vol2vol.ui._writer import write_image

layers = pytest.importorskip("napari.layers")


@pytest.fixture
def nifti(tmp_path):
    array, affine = on_codes(canonical_phantom(), grid(turned=True), "PIL")
    path = tmp_path / "sub-01_T1w.nii.gz"
    nib.save(nib.Nifti1Image(array, affine), path)
    return path


@pytest.fixture
def series(tmp_path):
    array, affine = on_codes(canonical_phantom(), grid(turned=True), "LPS")
    return write_slices(tmp_path / "series", array, affine)


def opened(path):
    """Open a path as napari does and return its layers."""
    return [layers.Image(data, **keywords) for data, keywords, _ in napari_get_reader(path)(path)]


def test_nifti_dicom_files_and_folders_are_ours(nifti, series):
    for path in (nifti, series, series / "im001.dcm"):
        (layer,) = opened(str(path))
        np.testing.assert_array_equal(layer.data, canonical_phantom().transpose(2, 1, 0))
        np.testing.assert_allclose(layer.metadata["vol2vol"]["affine"], grid(turned=True), atol=1e-4)


def test_several_paths_give_several_layers_but_a_series_only_one(nifti, series):
    files = sorted(str(p) for p in series.iterdir())
    assert len(opened([str(nifti), *files])) == 2


def test_other_paths_are_left_to_other_readers(tmp_path, nifti):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.txt").write_text("hello")
    (tmp_path / "a.tif").write_bytes(b"II*")
    for path in (tmp_path / "folder", tmp_path / "a.tif", tmp_path / "nowhere.png"):
        assert napari_get_reader(str(path)) is None
    assert napari_get_reader([str(nifti), str(tmp_path / "a.tif")]) is None
    assert napari_get_reader([]) is None


def test_errors_surface_with_their_text(tmp_path):
    (tmp_path / "a.nii.gz").write_bytes(b"\x1f\x8b")
    with pytest.raises(VolumeError, match=r"a.nii.gz: found a damaged or truncated gzip"):
        opened(str(tmp_path / "a.nii.gz"))
    path = write_structure_set(tmp_path / "rt.dcm")
    with pytest.raises(VolumeError, match="RTSTRUCT"):
        opened(str(path))


def test_a_layer_is_saved_on_the_grid_of_its_source(nifti, tmp_path):
    (layer,) = opened(str(nifti))
    data, meta, _ = layer.as_layer_data_tuple()
    assert write_image(str(tmp_path / "out.nii.gz"), data, meta) == [str(tmp_path / "out.nii.gz")]
    old, new = nib.load(nifti), nib.load(tmp_path / "out.nii.gz")
    np.testing.assert_array_equal(np.asarray(new.dataobj), np.asarray(old.dataobj))
    np.testing.assert_allclose(new.affine, old.affine, atol=1e-5)
    assert new.get_data_dtype() == old.get_data_dtype()


def test_saving_replaces_what_the_dialog_has_asked_about(nifti, tmp_path):
    (layer,) = opened(str(nifti))
    data, meta, _ = layer.as_layer_data_tuple()
    for factor in (1, 2):
        write_image(str(tmp_path / "out.nii"), data * factor, meta)
    assert np.asarray(nib.load(tmp_path / "out.nii").dataobj).max() == 1800
    assert sorted(p.name for p in tmp_path.glob("out*")) == ["out.nii"]


def test_a_generated_layer_keeps_its_record(nifti, tmp_path):
    (layer,) = opened(str(nifti))
    layer.metadata["vol2vol"]["provenance"] = build_record(seed=9)
    data, meta, _ = layer.as_layer_data_tuple()
    write_image(str(tmp_path / "out.nii.gz"), data, meta)
    assert json.loads((tmp_path / "out.json").read_text())["seed"] == 9
    assert nib.load(tmp_path / "out.nii.gz").header["descrip"].item() == b"AI-generated"


def test_a_layer_the_user_made_is_saved_on_its_scale(tmp_path):
    layer = layers.Image(canonical_phantom().transpose(2, 1, 0), scale=(3, 2, 1), translate=(5, 6, 7))
    data, meta, _ = layer.as_layer_data_tuple()
    write_image(str(tmp_path / "mine.nii"), data, meta)
    np.testing.assert_array_equal(
        nib.load(tmp_path / "mine.nii").affine, [[1, 0, 0, 7], [0, 2, 0, 6], [0, 0, 3, 5], [0, 0, 0, 1]]
    )


def test_layers_and_names_that_cannot_be_saved_say_so(tmp_path):
    with pytest.raises(VolumeError, match="accepted is one 3D image"):
        write_image(str(tmp_path / "a.nii"), np.zeros((4, 5)), {"name": "flat"})
    with pytest.raises(VolumeError, match=r"accepted are .nii and .nii.gz"):
        write_image(str(tmp_path / "a.png"), np.zeros((4, 5, 6)), {})


def test_a_layer_that_was_rotated_is_refused(nifti, tmp_path):
    (layer,) = opened(str(nifti))
    layer.rotate = (0, 0, 30)
    data, meta, _ = layer.as_layer_data_tuple()
    with pytest.raises(VolumeError, match="layer sub-01_T1w: rotate: found"):
        write_image(str(tmp_path / "a.nii"), data, meta)


def test_a_ct_opens_in_the_soft_tissue_window_though_its_file_does_not_say_that_it_is_one(tmp_path, nifti):
    hu = np.full((16, 32, 32), -1000, np.float32)
    hu[:, 8:24, 8:24] = 40
    path = tmp_path / "scan.nii.gz"
    for values, window in ((hu, (-160, 240)), (hu + 1000, (0, 1040)), (hu / 1000, (-1, 0.04))):
        nib.save(nib.Nifti1Image(values, np.eye(4)), path)
        (layer,) = opened(str(path))
        assert layer.contrast_limits == pytest.approx(window)
        kept = layer.metadata["vol2vol"]
        assert (kept["modality"], kept["units"]) == (("CT", "HU") if values is hu else (None, "a.u."))
    (layer,) = opened(str(nifti))
    assert layer.contrast_limits != [-160, 240]
