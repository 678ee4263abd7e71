import json

import numpy as np
import pytest
from typer.testing import CliRunner

from napari_vol2vol.cli import app
from napari_vol2vol.io import write_volume
from napari_vol2vol.volume import Volume


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("coherence")
    rng = np.random.default_rng(0)
    z, y, x = np.meshgrid(*[np.linspace(-1, 1, n) for n in (32, 40, 44)], indexing="ij")
    head = np.where(z**2 + y**2 + x**2 < 0.8, 100 + 20 * np.sin(5 * x) * np.cos(4 * y), 0)
    twins = {name: head + rng.normal(0, 3, head.shape) for name in ("clean", "reference", "bad")}
    twins["bad"][14] += 12
    for name, data in twins.items():
        write_volume(Volume.from_array(data.astype(np.float32), (2.0, 2.0, 2.0)), folder / f"{name}.nii.gz")
    return folder


def run(*arguments):
    return CliRunner().invoke(app, ["coherence", *map(str, arguments)])


def test_a_bad_slice_is_named_with_its_plane(files):
    shown = run(files / "bad.nii.gz", "-r", files / "reference.nii.gz")
    assert shown.exit_code == 0
    assert "axial: slices brighter or darker than their neighbours" in shown.output
    assert "slices 14" in shown.output


def test_a_clean_twin_differs_in_nothing(files):
    shown = run(files / "clean.nii.gz", "-r", files / "reference.nii.gz", "--json")
    assert json.loads(shown.output)["findings"] == []


def test_profiles_are_written_a_line_a_slice_with_their_place_in_mm(files, tmp_path):
    table = tmp_path / "profiles.csv"
    run(files / "bad.nii.gz", "-r", files / "reference.nii.gz", "--profiles", table)
    lines = table.read_text().splitlines()
    assert len(lines) == 1 + 32 + 40 + 44
    assert lines[3].startswith("axial,2,4,")


@pytest.mark.parametrize("text", ["axial", "top:3", "axial:3,x"])
def test_boundaries_that_make_no_sense_are_named(files, text):
    shown = run(files / "bad.nii.gz", "-r", files / "reference.nii.gz", "--boundaries", text)
    assert shown.exit_code == 1
    assert "boundaries: found" in shown.output + shown.stderr
