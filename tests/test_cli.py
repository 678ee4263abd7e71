"""The command line, from files to files, on tiny bundles."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from typer.testing import CliRunner

from napari_vol2vol.cli import app
from napari_vol2vol.io import read_volume, write_volume
from napari_vol2vol.tasks import get_task

QUICK = ["--system", "tpdm", "--steps", "2", "--precision", "float32", "--device", "cpu"]


def vol2vol(*arguments, code=0):
    """Run a command in this process and return what it printed on stdout and stderr."""
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert result.exit_code == code, (result.output, result.exception)
    return result


def mistake(*arguments):
    """Run a command that must end with exit code 1 and one line on stderr, and return the line."""
    result = vol2vol(*arguments, code=1)
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("vol2vol: ")
    return result.stderr


@pytest.fixture(scope="module")
def files(head, tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    write_volume(head, folder / "head_T1w.nii.gz")
    write_volume(get_task("super-resolution").degrade(head), folder / "low_T1w.nii.gz")
    return folder


def test_degrade_translate_and_evaluate_go_from_file_to_file(head, tiny_bundles, tmp_path):
    truth, low, high = (tmp_path / f"{n}.nii.gz" for n in ("head_T1w", "low_T1w", "high_T1w"))
    report = tmp_path / "report.json"
    write_volume(head, truth)
    assert "(8, 9, 10) voxels of 4 × 4 × 4 mm" in vol2vol("degrade", truth, "-o", low).stdout
    vol2vol(
        "translate", low, "-o", high, "--reference", truth, "--samples", 2, "--seed", 3,
        "--system", "score-fusion", "--steps", 2, "--report", report, "--run-folder", tmp_path / "run",
    )  # fmt: skip
    assert read_volume(high).same_grid(read_volume(truth))
    for name in ("high_T1w_uncertainty.nii.gz", "high_T1w_error.nii.gz", "run/sample-02.nii.gz"):
        assert (tmp_path / name).is_file()
    written = json.loads(report.read_text())
    assert written["record"]["settings"]["seed"] == 3
    assert json.loads((tmp_path / "high_T1w.json").read_text())["bundle"]["name"] == "sr4-t1-fusion"
    figures = json.loads(vol2vol("evaluate", high, truth, "--json").stdout)
    assert figures["psnr"] == pytest.approx(written["metrics"]["psnr_mean"], abs=0.01)
    assert figures["data_range"] == pytest.approx(written["metrics"]["data_range"], rel=1e-4)
    assert "data range" in vol2vol("evaluate", high, truth).stdout


def test_json_on_stdout_is_the_report_and_nothing_else(files, tiny_bundles, tmp_path):
    result = vol2vol("translate", files / "low_T1w.nii.gz", "-o", tmp_path / "x.nii", *QUICK, "--json")
    printed = json.loads(result.stdout)
    assert printed["output"] == str(tmp_path / "x.nii")
    assert printed["metrics"]["data_residual"] < 1e-5
    assert printed["record"]["samples_finished"] == 1


def test_the_same_seed_writes_the_same_voxels(files, tiny_bundles, tmp_path):
    for name in ("a", "b"):
        vol2vol("translate", files / "low_T1w.nii.gz", "-o", tmp_path / f"{name}.nii", *QUICK, "--seed", 5)
    assert np.array_equal(read_volume(tmp_path / "a.nii").data, read_volume(tmp_path / "b.nii").data)


def test_an_infinite_psnr_is_valid_json(files):
    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    truth = files / "head_T1w.nii.gz"
    assert (
        json.loads(vol2vol("evaluate", truth, truth, "--json").stdout, parse_constant=refuse)["psnr"] == "inf"
    )


def test_a_block_of_any_shape_serves_systems_without_a_bundle(files, tmp_path):
    low, high = tmp_path / "low_T1w.nii.gz", tmp_path / "high.nii.gz"
    vol2vol("degrade", files / "head_T1w.nii.gz", "-o", low, "--factor", "4,2,1")
    vol2vol("translate", low, "-o", high, "--system", "smooth-inverse", "--factor", "4,2,1")
    assert read_volume(high).shape == (32, 36, 40)


def test_a_missing_input_is_named(tmp_path):
    line = mistake("translate", tmp_path / "nowhere.nii.gz", "-o", tmp_path / "x.nii.gz")
    assert "nowhere.nii.gz: found no such file" in line


def test_a_long_message_is_still_one_line(tmp_path):
    folder = tmp_path / ("long" * 30)
    assert "found no such file" in mistake("translate", folder / "n.nii.gz", "-o", tmp_path / "x.nii.gz")


def test_an_existing_output_is_kept_unless_told_otherwise(files, tiny_bundles, tmp_path):
    output = tmp_path / "x.nii.gz"
    command = ["translate", files / "low_T1w.nii.gz", "-o", output, "--system", "trilinear"]
    vol2vol(*command)
    before = output.read_bytes()
    assert "exists already; choose another name or add --overwrite" in mistake(*command)
    assert output.read_bytes() == before
    vol2vol(*command, "--overwrite")


def test_the_record_of_another_result_is_found_before_the_run(files, tiny_bundles, tmp_path):
    (tmp_path / "x.json").touch()
    command = ["translate", files / "low_T1w.nii.gz", "-o", tmp_path / "x.nii.gz", *QUICK]
    assert "x.json exists already" in mistake(*command)
    assert not (tmp_path / "x.nii.gz").exists()


def test_an_existing_uncertainty_is_found_before_the_run(files, tiny_bundles, tmp_path):
    (tmp_path / "x_uncertainty.nii.gz").touch()
    command = ["translate", files / "low_T1w.nii.gz", "-o", tmp_path / "x.nii.gz", *QUICK, "--samples", "2"]
    assert "x_uncertainty.nii.gz exists already" in mistake(*command)
    assert not (tmp_path / "x.nii.gz").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--system", "magic"], "system: found 'magic', accepted are score-fusion"),
        (["--task", "magic"], "task: found 'magic', accepted are super-resolution"),
        (["--bundle", "nothing"], "bundle: found 'nothing', installed are"),
        (["--steps", "0"], "steps: found 0"),
        (["--samples", "0"], "samples: found 0"),
        (["--solver", "euler"], "solver: found 'euler'"),
        (["--device", "cuda:99"], "device: found 'cuda:99'"),
        (["--system", "palette", "--plane", "oblique"], "plane: found 'oblique'"),
        (["--system", "trilinear", "--factor", "4,4"], "factor: found '4,4'"),
        (["--factor", "2"], "factor: found (2, 2, 2), bundle sr4-t1-fusion is for (4, 4, 4)"),
        (["--reference", "LOW"], "resample"),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it(files, tiny_bundles, tmp_path, options, message):
    low = files / "low_T1w.nii.gz"
    options = [str(low) if o == "LOW" else o for o in options]
    assert message in mistake("translate", low, "-o", tmp_path / "x.nii.gz", *options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("output", "message"), [("x.png", "ends in .nii or .nii.gz"), ("no/x.nii", "no does not exist")]
)
def test_an_output_that_cannot_be_written_is_found_before_the_run(files, tmp_path, output, message):
    assert message in mistake("translate", files / "low_T1w.nii.gz", "-o", tmp_path / output)


def test_evaluating_on_different_grids_says_how_to_mend_it(files):
    line = mistake("evaluate", files / "low_T1w.nii.gz", files / "head_T1w.nii.gz")
    assert "found shape (32, 36, 40) where (8, 9, 10)" in line


def test_bundles_can_be_listed_shown_verified_and_found(tiny_bundles):
    names = [b["name"] for b in json.loads(vol2vol("bundles", "list", "--json").stdout)]
    assert {"sr4-t1-fusion", "sr4-t1-planes", "sr4-t1-regression"} <= set(names)
    assert "sr4-t1-planes" in vol2vol("bundles", "list").stdout
    assert json.loads(vol2vol("bundles", "show", "sr4-t1-planes").stdout)["name"] == "sr4-t1-planes"
    assert "1 weight file(s) match" in vol2vol("bundles", "verify", "sr4-t1-planes").stdout
    path = vol2vol("bundles", "path", "sr4-t1-planes").stdout.strip()
    assert path == str(tiny_bundles / "sr4-t1-planes")
    assert vol2vol("bundles", "path", path).stdout.strip() == path
    told = mistake("bundles", "show", "magic")
    assert "'magic', installed are " in told
    assert "sr4-t1-fusion" in told


def test_systems_name_their_bundles(tiny_bundles):
    rows = {row["name"]: row for row in json.loads(vol2vol("systems", "--json").stdout)}
    assert "sr4-t1-fusion" in rows["score-fusion"]["bundles"]
    assert rows["trilinear"]["bundles"] is None
    assert all(row["tasks"] for row in rows.values())
    assert rows["smooth-inverse"]["tasks"] == ["super-resolution", "multi-contrast-super-resolution"]
    assert rows["identity"]["tasks"] == ["modality-translation", "contrast-removal", "contrast-addition"]
    assert "needs none" in vol2vol("systems").stdout


def test_a_dry_run_stays_out_of_the_folder_of_the_real_run(tmp_path):
    result = vol2vol("train", "sr4-t1-planes", "--dry-run", "-o", tmp_path)
    assert (tmp_path / "dry-run" / "sr4-t1-planes" / "sr4-t1-planes" / "metadata.json").is_file()
    assert [f.name for f in tmp_path.iterdir()] == ["dry-run"]
    assert "wrote" in result.stdout


def test_training_without_its_volumes_names_the_command_that_fetches_them(tmp_path):
    line = mistake("train", "sr4-t1-planes", "-o", tmp_path / "runs", "--volumes", tmp_path)
    assert "fetch_volumes.py bold5000-1 bold5000-2 --to" in line


@pytest.fixture
def small_sample(head, tmp_path, monkeypatch):
    write_volume(
        head.with_data(head.data[:16, :16, :16], affine=head.affine), tmp_path / "colin27_T1w_block.nii.gz"
    )
    monkeypatch.setattr("napari_vol2vol.samples.sample_folder", lambda: tmp_path)


def test_the_demo_measures_every_system(tiny_bundles, small_sample):
    rows = json.loads(vol2vol("demo", "--json", "--samples", "2", "--device", "cpu").stdout)
    assert [r["system"] for r in rows] == [
        "trilinear", "smooth-inverse", "unet-3d", "palette", "tpdm", "score-fusion",
    ]  # fmt: skip
    assert [r["samples"] for r in rows] == [1, 1, 1, 2, 2, 2]


def test_reproduce_prints_the_table_of_named_volumes(files, head, tmp_path):
    for name in ("one", "two"):
        write_volume(head, tmp_path / f"{name}.nii.gz")
    result = vol2vol(
        "reproduce", "--volumes", tmp_path, "--names", "one,two", "--block", 16, "--system", "trilinear"
    )
    assert "| **mean** | trilinear |" in result.stdout


@pytest.mark.parametrize(
    "command", [[], ["translate"], ["degrade"], ["evaluate"], ["train"], ["systems"], ["bench"], ["demo"],
                ["reproduce"], ["bundles"], ["bundles", "list"], ["bundles", "show"], ["bundles", "verify"],
                ["bundles", "path"]],
)  # fmt: skip
def test_every_command_explains_itself(command):
    assert "Usage" in vol2vol(*command, "--help").stdout


def process(*arguments, **options):
    """Start the command line in a process of its own, in which Ctrl-C works as in a terminal."""
    return subprocess.Popen(
        [sys.executable, "-m", "napari_vol2vol.cli", *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options,
    )  # fmt: skip


def wait_for(path, seconds=90):
    end = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < end, f"{path.name} did not come"
        time.sleep(0.02)


@pytest.mark.skipif(
    os.name == "nt", reason="a process group of one's own is needed to send Ctrl-C on Windows"
)
def test_ctrl_c_keeps_the_finished_samples_and_exits_130(files, tiny_bundles, tmp_path):
    output, folder = tmp_path / "x.nii.gz", tmp_path / "run"
    run = process(
        "translate", files / "low_T1w.nii.gz", "-o", output, *QUICK, "--samples", 900, "--run-folder", folder
    )
    wait_for(folder / "sample-02.nii.gz")
    run.send_signal(signal.SIGINT)
    begin = time.monotonic()
    out, err = run.communicate(timeout=60)
    assert run.returncode == 130, (out, err)
    assert time.monotonic() - begin < 20
    assert "Traceback" not in err
    assert "cancelled after" in err
    record = json.loads((folder / "run.json").read_text())
    assert record["state"] == "cancelled"
    count = record["samples_finished"]
    assert 2 <= count < 900
    samples = [read_volume(folder / f"sample-{i:02d}.nii.gz").data for i in range(1, count + 1)]
    assert np.allclose(read_volume(output).data, np.mean(samples, axis=0), atol=1e-3)


@pytest.mark.skipif(
    os.name == "nt", reason="a process group of one's own is needed to send Ctrl-C on Windows"
)
def test_ctrl_c_before_the_first_sample_writes_nothing_and_exits_130(files, tiny_bundles, tmp_path):
    output, folder = tmp_path / "x.nii.gz", tmp_path / "run"
    run = process(
        "translate", files / "low_T1w.nii.gz", "-o", output, "--system", "tpdm", "--steps", 1000,
        "--run-folder", folder,
    )  # fmt: skip
    wait_for(folder / "run.json")
    run.send_signal(signal.SIGINT)
    out, err = run.communicate(timeout=60)
    assert run.returncode == 130, (out, err)
    assert "Traceback" not in err
    assert "cancelled" in err
    assert not output.exists()


def test_translating_loads_no_gui(files, tiny_bundles, tmp_path):
    code = (
        "import sys, json; from napari_vol2vol.cli import app; "
        f"app({['translate', str(files / 'low_T1w.nii.gz'), '-o', str(tmp_path / 'x.nii'), *QUICK]!r}, "
        "standalone_mode=False); print(json.dumps([m.split('.')[0] for m in sys.modules]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    )
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert "torch" in loaded
    assert loaded.isdisjoint(
        {"napari", "qtpy", "superqt", "magicgui", "pyqtgraph", "PyQt6", "PySide6", "vispy"}
    )
