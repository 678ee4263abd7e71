import json

import numpy as np
import pytest
from typer.testing import CliRunner

from napari_vol2vol.cli import app
from napari_vol2vol.io import write_volume
from napari_vol2vol.phantoms.torso_ct import make_torso_pair
from napari_vol2vol.volume import Volume

SPACING = (6.0, 5.0, 5.0)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("series")
    made = make_torso_pair(5, (18, 48, 56), SPACING, breathing_mm=0.0)
    aorta = made.torso.mask("aorta").astype(np.float32) + 2 * made.torso.mask("liver")
    for name, data in (("native", made.native), ("contrast", made.contrast), ("labels", aorta)):
        volume = Volume.from_array(np.asarray(data, np.float32), SPACING, modality="CT", units="HU")
        write_volume(volume, folder / f"{name}.nii.gz")
    return folder


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


def test_contrast_shows_in_the_aorta_and_hardly_in_the_liver(files):
    shown = run("measure", files / "contrast.nii.gz", files / "labels.nii.gz",
                "--before", files / "native.nii.gz", "--json")  # fmt: skip
    aorta, liver = json.loads(shown.output)["regions"]
    assert aorta["median_change"] > 100 > 30 > liver["median_change"]
    assert aorta["median"] == pytest.approx(aorta["median_before"] + aorta["median_change"], abs=15)


def test_labels_on_another_grid_are_refused(files, tmp_path):
    write_volume(Volume.from_array(np.eye(4, dtype=np.float32)[None].repeat(3, 0)), tmp_path / "other.nii.gz")
    shown = run("measure", files / "native.nii.gz", tmp_path / "other.nii.gz")
    assert shown.exit_code == 1
    assert "labels" in shown.stderr


def test_a_registered_series_is_written_on_the_grid_of_the_other(files, tmp_path):
    pytest.importorskip("SimpleITK")
    path = tmp_path / "moved.nii.gz"
    shown = run(
        "register", files / "contrast.nii.gz", files / "native.nii.gz", "-o", path, "--method", "rigid"
    )
    assert shown.exit_code == 0, shown.output
    assert "before" in shown.output
    assert path.exists()
    assert json.loads((tmp_path / "moved.json").read_text())["task"] == "register"
