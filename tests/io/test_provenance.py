"""Records are complete, plain JSON, and name no folder of the user."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from tests.io.asymmetric_phantom import canonical_phantom, grid
from tests.io.synthetic_dicom import write_slices

from napari_vol2vol.errors import VolumeError
from napari_vol2vol.io import read_volume
from napari_vol2vol.io.provenance import build_record, describe_input, file_sha256, is_record, sidecar_path
from napari_vol2vol.volume import Volume


def test_a_record_says_everything_and_is_plain_json(save_nifti):
    path = save_nifti(canonical_phantom(), name="sub-01_T1w.nii.gz")
    record = build_record(
        inputs=[describe_input(read_volume(path))],
        task="super-resolution",
        system="score-fusion",
        bundle={"name": "tiny", "sha256": "ab"},
        settings={"steps": np.int64(5), "eta": np.float32(0.5), "path": Path("x"), "shape": (1, 2)},
        seed=11,
        device="cpu",
        timings={"sampling": 1.5, "lost": float("nan")},
        psnr=31.5,
    )
    back = json.loads(json.dumps(record, allow_nan=False))
    assert back == record
    assert is_record(back)
    assert back["AI-generated"] is True
    assert back["settings"] == {"steps": 5, "eta": 0.5, "path": "x", "shape": [1, 2]}
    assert (back["seed"], back["device"], back["task"], back["psnr"]) == (11, "cpu", "super-resolution", 31.5)
    assert back["timings_s"] == {"sampling": 1.5, "lost": "nan"}
    assert {"numpy", "nibabel"} <= set(back["packages"])
    entry = back["inputs"][0]
    assert entry["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (entry["file"], entry["modality"], entry["shape_zyx"]) == (path.name, "T1w", [7, 9, 11])
    assert str(path.parent) not in json.dumps(back)


def test_a_folder_is_hashed_by_names_and_contents(tmp_path):
    for name, text in (("a", "1"), ("b", "2")):
        (tmp_path / name).write_text(text)
    first = file_sha256(tmp_path)
    assert file_sha256(tmp_path) == first
    (tmp_path / "b").write_text("3")
    assert file_sha256(tmp_path) != first
    (tmp_path / "b").write_text("2")
    (tmp_path / "b").rename(tmp_path / "c")
    assert file_sha256(tmp_path) != first


def test_a_missing_file_has_no_sum(tmp_path):
    with pytest.raises(VolumeError, match="could not be read for its sha256"):
        file_sha256(tmp_path / "nowhere")


def test_a_volume_without_file_is_described_by_its_voxels():
    one, other = (Volume.from_array(np.arange(8.0).reshape(2, 2, 2) + k) for k in (0, 1))
    assert describe_input(one)["file"] is None
    assert describe_input(one)["sha256"] != describe_input(other)["sha256"]


def test_a_series_opened_by_one_file_is_identified_by_all_of_its_voxels(tmp_path):
    folder = write_slices(tmp_path / "s", canonical_phantom(), grid())
    files = sorted(folder.iterdir())
    entries = [describe_input(read_volume(file)) for file in (files[0], files[3])]
    assert entries[0]["sha256"] == entries[1]["sha256"]
    assert [e["sha256_of"] for e in (*entries, describe_input(read_volume(folder)))] == [
        "voxels",
        "voxels",
        "file",
    ]


def test_other_json_is_no_record():
    assert not is_record({"RepetitionTime": 2})
    assert not is_record([1])


def test_sidecars_lie_beside_the_image():
    for name in ("a/x.y.nii.gz", "a/x.y.nii", "a/x.y.NII.GZ"):
        assert sidecar_path(Path(name)) == Path("a/x.y.json")
