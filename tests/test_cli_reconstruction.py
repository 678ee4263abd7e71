"""The command line on measurements: simulated, loaded, and settings by ``--set``."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from napari_vol2vol.cli import app
from napari_vol2vol.io import read_volume, write_volume
from prior_bundles import make_prior, use_only
from reconstruction_volumes import small_head, small_torso

RUNNER = CliRunner()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("cli")
    write_volume(small_torso(), path / "ct.nii.gz")
    write_volume(small_head(), path / "head_T1w.nii.gz")
    make_prior(path / "priors", 1)
    make_prior(path / "priors", 2)
    return path


@pytest.fixture(autouse=True)
def priors(folder, monkeypatch):
    use_only(folder / "priors", monkeypatch)


def command(*words, code=0):
    done = RUNNER.invoke(app, [str(w) for w in words])
    assert done.exit_code == code, done.output
    return done.stdout if "--json" in words else done.output


def test_a_simulated_scan_is_reconstructed_and_held_to_its_truth(folder, tmp_path):
    out = tmp_path / "result.nii.gz"
    words = ["translate", folder / "ct.nii.gz", "-o", out, "--task", "sparse-view-ct", "--system", "d3ip"]
    words += ["--simulate", "--steps", 2, "--precision", "float32"]
    for pair in ("views=12", "measurement_seed=4", "iterations=1", "slices=2", "compare=fixed"):
        words += ["--set", pair]
    found = json.loads(command(*words, "--json"))
    assert {"psnr_mean", "psnr_fixed", "data_residual"} <= set(found["metrics"])
    record = found["record"]
    assert record["settings"]["options"]["iterations"] == 1
    assert record["settings"]["eta"] == 0.85
    assert (record["measurement"]["measurement_seed"], len(record["measurement"]["angles_deg"])) == (4, 12)
    assert read_volume(out).shape == small_torso().shape
    assert (tmp_path / "result_error.nii.gz").exists()


def test_a_written_sinogram_gives_the_same_result_as_the_simulation_it_is_of(folder, tmp_path):
    ct, raw, one, other = (
        folder / "ct.nii.gz",
        *(tmp_path / n for n in ("scan.npz", "a.nii.gz", "b.nii.gz")),
    )
    command("degrade", ct, "-o", raw, "--task", "sparse-view-ct", "--set", "views=12")
    job = ["--task", "sparse-view-ct", "--system", "admm-tv", "--set", "admm_steps=4"]
    command("translate", ct, "-o", one, *job, "--simulate", "--set", "views=12")
    grid = ["--set", "pixel_mm=1.5", "--set", "slice_mm=3", "--set", "rows=22", "--set", "columns=26"]
    assert "does not say how" in command("translate", raw, "-o", other, *job, *grid)
    simulated, loaded = read_volume(one), read_volume(other)
    assert np.allclose(simulated.data, loaded.data, atol=1)  # the simulated one is stored as its file was
    assert loaded.spacing_mm == (3.0, 1.5, 1.5)


def test_kspace_is_written_and_read(folder, tmp_path):
    raw = tmp_path / "scan.npz"
    settings = ["--set", "coils=2", "--set", "mask=uniform1d", "--set", "acceleration=2"]
    command("degrade", folder / "head_T1w.nii.gz", "-o", raw, "--task", "mri-reconstruction", *settings)
    out = tmp_path / "result.nii.gz"
    job = ["--task", "mri-reconstruction", "--system", "dds", "--steps", 2, "--set", f"coil_maps={raw}"]
    command("translate", raw, "-o", out, *job, "--modality", "T1w")
    assert read_volume(out).shape == small_head().shape


def test_degrading_to_an_image_keeps_what_was_measured_in_the_record(folder, tmp_path):
    out = tmp_path / "fbp.nii.gz"
    command("degrade", folder / "ct.nii.gz", "-o", out, "--task", "sparse-view-ct", "--set", "views=9")
    record = json.loads((tmp_path / "fbp.json").read_text())
    assert len(record["settings"]["measurement"]["angles_deg"]) == 9


def test_super_resolution_can_be_simulated_too(folder, tmp_path):
    words = [
        "translate",
        folder / "ct.nii.gz",
        "-o",
        tmp_path / "r.nii.gz",
        "--system",
        "trilinear",
        "--simulate",
    ]
    found = json.loads(command(*words, "--factor", "1,2,2", "--json"))
    assert found["metrics"]["psnr_mean"] > 5


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--system", "fbp"],
            "ct: measurement: found a plain volume, accepted is a volume",
        ),
        (["--system", "fbp", "--simulate", "--set", "views"], "set: found 'views', accepted is NAME=VALUE"),
        (["--system", "fbp", "--simulate", "--set", "vews=3"], "set: found 'vews', accepted here are views,"),
        (["--system", "fbp", "--simulate", "--set", "views=0"], "views: found 0"),
        (["--system", "fbp", "--set", "views=3"], "set: found 'views', accepted here are window"),
        (["--system", "sense-cg", "--simulate"], "system sense-cg does not serve task sparse-view-ct"),
    ],
)
def test_mistakes_are_told_in_one_line(words, message, folder, tmp_path):
    output = command(
        "translate",
        folder / "ct.nii.gz",
        "-o",
        tmp_path / "r.nii.gz",
        "--task",
        "sparse-view-ct",
        *words,
        code=1,
    )
    assert message in output
    assert "Traceback" not in output


def test_raw_data_cannot_be_simulated_from(folder, tmp_path):
    np.save(tmp_path / "scan.npy", np.ones((2, 3, 4), np.float32))
    words = ["translate", tmp_path / "scan.npy", "-o", tmp_path / "r.nii.gz", "--task", "sparse-view-ct"]
    assert "found raw data in scan.npy" in command(*words, "--system", "fbp", "--simulate", code=1)


def test_the_projector_bench_prints_both_ways(folder):
    assert "rotate and sum" in command("bench", "--projector", "--size", 16)
