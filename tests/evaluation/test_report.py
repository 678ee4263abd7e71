import json
import shutil
from dataclasses import replace

import pytest

from evaluation.small_suites import run, translation_suite
from napari_vol2vol.evaluation.compare import folder_of
from napari_vol2vol.evaluation.features import NamedFeatures
from napari_vol2vol.evaluation.report import write_report
from napari_vol2vol.evaluation.suite_entries import SystemEntry


def test_the_report_states_the_data_range_once_and_what_was_run(compared, tmp_path):
    suite, cases, rows, output = compared
    table = write_report(suite, cases, rows, output)
    text = (output / "table.md").read_text()
    assert text.count("data range 1: the 99.5th percentile of the whole reference") == 1
    assert "T1w from block means of 4 × 4 × 4 voxels; blocks of 16×16×16 voxels" in text
    assert "seed 0, 2 samples" in text
    assert "differences are to trilinear" in text
    assert "cpu in float32" in text
    assert len([line for line in table.lines if line.kind == "mean"]) == 4
    written = json.loads((output / "table.json").read_text())
    assert written["suite"] == "small"
    assert written["set_distances"]["tpdm"]["volume_mmd"]["n_a"] == 2
    assert written["real_versus_real"]["volume_mmd"] is None


def test_features_bring_fid_and_kid_into_the_table(compared, tmp_path):
    suite, cases, rows, output = compared
    features = NamedFeatures("features of three columns", lambda volume: volume.reshape(16, -1)[:, :3])
    write_report(suite, cases, rows, output, features)
    text = (output / "table.md").read_text()
    assert "| FID | KID |" in text
    assert "FID" in next(line for line in text.splitlines() if line.startswith("- MMD²"))
    note = "FID and KID: features of three columns; N = 32 rows of each system against 32 of the"
    for suffix in ("md", "csv", "json"):
        assert note in (output / f"table.{suffix}").read_text()
    written = json.loads((output / "table.json").read_text())
    assert written["features"] == "features of three columns"
    assert written["set_distances"]["tpdm"]["frechet"]["n_a"] == 32


def test_two_halves_of_the_references_stand_below_the_systems(compared, tmp_path):
    suite, cases, rows, output = compared
    features = NamedFeatures("columns", lambda volume: volume.reshape(16, -1)[:, :3])
    copies = [replace(case, name=f"{case.name} {i}") for i in range(2) for case in cases]
    rows = [replace(row, volume=f"{row.volume} {i}") for i in range(2) for row in rows]
    for row in rows:
        shutil.copytree(folder_of(output, replace(row, volume=row.volume[:-2])), folder_of(tmp_path, row))
    table = write_report(suite, copies, rows, tmp_path, features)
    last = table.lines[-1]
    assert (last.volume, last.system) == ("two halves of the references", "real versus real")
    assert last.values["frechet"] == pytest.approx(0, abs=1e-6)
    assert last.values["volume_mmd"] == pytest.approx(0, abs=1e-6)
    text = (tmp_path / "table.md").read_text()
    assert "the halves of the references have N = 32 and 32" in text
    assert text.splitlines()[-1].startswith("| two halves of the references | real versus real | –")
    assert "**" not in text.splitlines()[-1]


def test_one_volume_of_a_translation_has_no_distances_of_sets(tmp_path):
    suite = translation_suite(systems=(SystemEntry("identity"),))
    cases, rows = run(suite, tmp_path)
    write_report(suite, cases, rows, tmp_path)
    text = (tmp_path / "table.md").read_text()
    assert "FLAIR from T1ce" in text
    assert "99.5th percentile of the reference's block" in text
    assert "MMD²" not in text
