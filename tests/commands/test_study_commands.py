import json

import pytest
from typer.testing import CliRunner

from napari_vol2vol.cli import app
from napari_vol2vol.io import write_volume
from napari_vol2vol.study.folder import StudyFolder
from study.small_studies import read_all, sphere


def vol2vol(*arguments, code=0):
    result = CliRunner().invoke(app, ["study", *(str(a) for a in arguments)])
    assert result.exit_code == code, (result.output, result.exception)
    return result


def small(folder, *more):
    """A study of balls of texture, from two folders with equal names."""
    for n in range(8):
        for number, arm in enumerate(("real", "smoothed")):
            path = folder.parent / arm / f"case{n}.nii"
            path.parent.mkdir(exist_ok=True)
            ball = sphere(10 * n + number)
            write_volume(ball if arm == "real" else ball.with_data(ball.data * 0.9), path, overwrite=True)
    folders = ("--real", folder.parent / "real", "--generated", f"smoothed={folder.parent / 'smoothed'}")
    return vol2vol("new", folder, *folders, "--pairs", 4, "--singles", 2, "--window", "none", *more)


def right(session, truth):
    return truth, 4


def test_a_study_goes_from_the_preset_to_the_report(tmp_path):
    folder = tmp_path / "study"
    assert "8 cases; pairs-smoothed 4, singles-smoothed 2" in small(folder, "--seed", 3).stdout
    assert "no problems" in vol2vol("check", folder).stdout
    assert "trials: R1 8, R2 8" in vol2vol("freeze", folder).stdout
    for reader in ("R1", "R2"):
        read_all(StudyFolder(folder), reader, right)
    assert "R1: 8 answers" in vol2vol("verify", folder).stdout
    assert "is not locked" in vol2vol("analyse", folder, code=1).stderr
    assert "locked 16 answers" in vol2vol("lock", folder).stdout
    result = vol2vol("analyse", folder)
    assert "R1: 4 of 4 right [0.398, 1.000], p = 0.12" in result.stdout
    assert (folder / "results" / "report.html").exists()
    found = json.loads(vol2vol("analyse", folder, "--json").stdout)
    assert [contest["treatment"] for contest in found["contests"]] == ["real | smoothed", "smoothed"]


def test_the_audit_as_json_says_which_leaks_the_files_have(tmp_path):
    small(tmp_path / "study")
    found = json.loads(vol2vol("check", tmp_path / "study", "--json").stdout)
    red = {leak["leak"] for leak in found["leaks"] if leak["red"]}
    assert found["problems"] == []
    assert {"path", "integer or fractional values"} <= red


def test_the_planner_says_what_twenty_trials_show():
    text = vol2vol("plan", "--n", 20, "--margin", 0.1).stdout
    assert "50 % is rejected only at 15 or more right (or 5 or fewer); power 0.42 at a true 0.70" in text
    assert "equivalence within ±10 points cannot be shown" in text
    assert "±10 points with power 0.8: 214 trials" in text
    found = json.loads(vol2vol("plan", "--json").stdout)
    assert found["equivalence_needs"] == {"0.1": 214, "0.15": 96, "0.2": 53}


def test_the_planner_takes_blocks_and_margin_from_a_study(tmp_path):
    small(tmp_path / "study", "--margin", 0.2)
    text = vol2vol("plan", "--study", tmp_path / "study").stdout
    assert "pairs-smoothed: 4 trials: no number of right answers rejects 50 %" in text
    assert "±20 points with power 0.8: 53 trials" in text


def test_calibration_prints_a_rate_for_every_test():
    rows = json.loads(vol2vol("calibrate", "--runs", 20, "--json").stdout)
    assert len(rows) == 12
    assert all(0 <= row["rate"] <= 1 for row in rows)


def test_copies_are_merged_once(tmp_path):
    import shutil

    folder, copy = tmp_path / "study", tmp_path / "copy"
    small(folder)
    vol2vol("freeze", folder)
    shutil.copytree(folder / "reading", copy / "reading")
    shutil.copy(folder / "key.json", copy)
    shutil.copy(folder / "study.json", copy)
    read_all(StudyFolder(copy), "R1", right)
    assert "R1: 8 answers, 8 of them new" in vol2vol("merge", folder, copy / "reading").stdout
    assert "a duplicate" in vol2vol("merge", folder, copy / "reading", code=1).stderr
    assert "R2 have not finished" in vol2vol("lock", folder, code=1).stderr


def test_procedural_torsos_make_a_study_to_try(tmp_path):
    result = vol2vol("new", tmp_path / "s", "--demo", "--pairs", 0, "--singles", 2)
    assert "4 cases; singles-smoothed 2" in result.stdout
    assert "air" in vol2vol("freeze", tmp_path / "s").stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("new", "STUDY"), "accepted are --real FOLDER --generated NAME=FOLDER, or --demo"),
        (("new", "STUDY", "--preset", "x", "--demo"), "preset: found 'x'"),
        (
            ("new", "STUDY", "--real", ".", "--generated", "x"),
            "generated: found 'x', accepted is NAME=FOLDER",
        ),
        (("check", "STUDY"), "accepted is a folder made by `vol2vol study new`"),
        (("freeze", "STUDY"), "accepted is a folder made by `vol2vol study new`"),
        (("verify", "STUDY"), "accepted is the folder that `study freeze` made"),
    ],
)
def test_a_mistake_is_one_line(tmp_path, arguments, words):
    result = vol2vol(*(tmp_path / "study" if a == "STUDY" else a for a in arguments), code=1)
    assert words in result.stderr
    assert result.stderr.count("\n") == 1


def test_problems_of_an_edited_study_are_all_told(tmp_path):
    folder = tmp_path / "study"
    small(folder)
    path = folder / "study.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"alpha": 2.0, "readers": []}))
    result = vol2vol("check", folder, code=1)
    assert "readers: found none" in result.stderr
    assert "alpha: found 2" in result.stderr


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--reader", "nobody"), "reader: found 'nobody', accepted are R1, R2"),
        (
            ("--reader", "R1", "--convention", "mirror"),
            "convention: found 'mirror', accepted are radiological",
        ),
        (
            ("--reader", "R1", "--drag-up", "louder"),
            "drag-up: found 'louder', accepted are darker and brighter",
        ),
    ],
)
def test_the_reading_window_is_not_opened_for_a_mistake(tmp_path, monkeypatch, more, words):
    import subprocess

    small(tmp_path / "study")
    vol2vol("freeze", tmp_path / "study")
    monkeypatch.setattr(subprocess, "run", None)
    assert words in vol2vol("read", tmp_path / "study" / "reading", *more, code=1).stderr


def test_the_reading_window_runs_in_a_process_of_its_own(tmp_path, monkeypatch):
    import subprocess
    import sys
    from types import SimpleNamespace

    from napari_vol2vol.ui.reading.start import command

    small(tmp_path / "study")
    vol2vol("freeze", tmp_path / "study")
    started = []
    monkeypatch.setattr(
        subprocess, "run", lambda line, check: started.append(line) or SimpleNamespace(returncode=0)
    )
    reading = tmp_path / "study" / "reading"
    vol2vol("read", reading, "--reader", "R2", "--drag-up", "brighter")
    assert started == [command(reading, "R2", "radiological", "brighter")]
    assert started[0][:3] == [sys.executable, "-m", "napari_vol2vol.ui.reading"]
