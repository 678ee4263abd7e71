import json
import shutil
from dataclasses import fields, replace

import numpy as np
import pytest

from evaluation.small_suites import make_translation_bundle, no_fetched, run, small_suite, translation_suite
from napari_vol2vol.errors import BundleError
from napari_vol2vol.evaluation import compare as module
from napari_vol2vol.evaluation.cases import load_cases
from napari_vol2vol.evaluation.compare import ROWS, compare, folder_of
from napari_vol2vol.evaluation.rows import Row
from napari_vol2vol.evaluation.suite_entries import SystemEntry
from napari_vol2vol.evaluation.super_resolution_table import central_block, measure
from napari_vol2vol.io import read_volume

TIMES = {"seconds", "seconds_per_step", "peak_gib"}


def without_times(row):
    return {f.name: getattr(row, f.name) for f in fields(Row) if f.name not in TIMES}


def test_there_is_a_row_for_each_volume_and_system_in_order(compared):
    _, _, rows, output = compared
    systems = ["trilinear", "smooth-inverse", "tpdm", "palette"]
    assert [(r.volume, r.system) for r in rows] == [(v, s) for v in ("one", "two") for s in systems]
    assert [r.samples for r in rows[:4]] == [1, 1, 2, 2]
    written = [json.loads(line) for line in (output / ROWS).read_text().splitlines()]
    assert [Row.from_dict(values) for values in written] == rows


def test_rows_say_what_the_table_of_the_readme_says(head, compared, tiny_bundles):
    _, _, rows, _ = compared
    block = central_block(head, 16)
    for row, settings in ((rows[0], {}), (rows[2], {"steps": 2, "precision": "float32", "device": "cpu"})):
        expected = measure(block, row.system, samples=2, **settings)
        assert row.psnr_single == pytest.approx(expected.psnr_single, abs=1e-3)
        assert row.ssim_mean == pytest.approx(expected.ssim_mean, abs=1e-4)
        assert row.data_residual == pytest.approx(expected.data_residual, abs=1e-6)
        if expected.mace is not None:
            assert 1e4 * row.mace == pytest.approx(expected.mace, rel=1e-3)


def test_the_same_voxels_give_the_same_figures(compared):
    _, _, rows, _ = compared
    for one, two in zip(rows[:4], rows[4:], strict=True):
        same = without_times(replace(two, volume=one.volume, digest=one.digest))
        assert same == without_times(one)


def test_only_what_is_needed_stays_in_the_folder_of_a_row(compared):
    _, cases, rows, output = compared
    names = {p.name for p in folder_of(output, rows[2]).glob("*.nii.gz")}
    assert names == {"sample-01.nii.gz", "mean.nii.gz", "uncertainty.nii.gz"}
    mean = read_volume(folder_of(output, rows[2]) / "mean.nii.gz")
    assert np.abs(mean.data - cases[0].reference.data).mean() == pytest.approx(rows[2].mae_mean, rel=1e-4)
    assert not list((output / "runs").rglob("*.partial"))


def test_time_is_of_sampling_alone_and_steps_share_it(compared):
    _, _, rows, _ = compared
    for row in rows:
        assert row.seconds == pytest.approx(row.seconds_per_step * row.steps)
        assert row.seconds > 0


def test_an_interrupted_comparison_goes_on_where_it_stopped(head_folder, tiny_bundles, tmp_path, monkeypatch):
    suite = small_suite(head_folder, volumes=small_suite(head_folder).volumes[:1])
    cases = list(load_cases(suite, no_fetched))
    figures, finished = module.figures_of, []

    def interrupted(*arguments):
        if len(finished) == 2:
            raise KeyboardInterrupt
        return figures(*arguments)

    monkeypatch.setattr(module, "figures_of", interrupted)
    with pytest.raises(KeyboardInterrupt):
        finished.extend(compare(suite, cases, tmp_path))
    assert [r.system for r in finished] == ["trilinear", "smooth-inverse"]
    assert len((tmp_path / ROWS).read_text().splitlines()) == 2
    assert list((tmp_path / "runs").rglob("*.partial"))

    started = []
    monkeypatch.setattr(module, "figures_of", lambda *a: started.append(1) or figures(*a))
    said = []
    rows = list(compare(suite, cases, tmp_path, say=said.append))
    assert rows[:2] == finished
    assert len(started) == 2
    assert [line for line in said if "kept" in line] == [
        "one trilinear seed 0: kept from rows.jsonl", "one smooth-inverse seed 0: kept from rows.jsonl",
    ]  # fmt: skip
    assert not list((tmp_path / "runs").rglob("*.partial"))
    assert list(compare(suite, cases, tmp_path)) == rows


def test_a_changed_setting_and_a_lost_folder_are_run_again(head_folder, tiny_bundles, tmp_path):
    suite = small_suite(head_folder, volumes=small_suite(head_folder).volumes[:1])
    suite = replace(suite, systems=(SystemEntry("trilinear"), SystemEntry("tpdm", steps=1)))
    cases, rows = run(suite, tmp_path)
    changed = replace(suite, systems=(SystemEntry("trilinear"), SystemEntry("tpdm", steps=2)))
    again = list(compare(changed, cases, tmp_path))
    assert again[0] == rows[0]
    assert again[1].digest != rows[1].digest
    assert again[1].steps == 2
    shutil.rmtree(folder_of(tmp_path, rows[1]))
    (_, restored) = compare(suite, cases, tmp_path)
    assert without_times(restored) == without_times(rows[1])
    assert folder_of(tmp_path, restored).is_dir()


def test_a_missing_bundle_is_told_before_the_first_row(head_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("VOL2VOL_BUNDLES", str(tmp_path))
    suite = small_suite(head_folder, systems=(SystemEntry("trilinear"), SystemEntry("diff-ensembler")))
    cases = list(load_cases(suite, no_fetched))
    with pytest.raises(BundleError, match="no installed bundle of diff-ensembler"):
        next(compare(suite, cases, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_modality_translation_runs_end_to_end(tmp_path, monkeypatch):
    make_translation_bundle(tmp_path / "bundles")
    monkeypatch.setenv("VOL2VOL_BUNDLES", str(tmp_path / "bundles"))
    (case,), (plain, drawn) = run(translation_suite(baseline="identity"), tmp_path / "out")
    source = case.source.data / np.percentile(case.source.data, 99.5)
    assert plain.mae_single == pytest.approx(np.abs(source - case.reference.data).mean(), rel=1e-3)
    assert (plain.data_residual, drawn.data_residual) == (None, None)
    assert (drawn.bundle, drawn.samples) == ("mt-flair", 2)
    assert drawn.mace > 0
    assert -1 <= drawn.spearman <= 1
    mean = read_volume(folder_of(tmp_path / "out", drawn) / "mean.nii.gz")
    error = case.scaled(mean).data - case.reference.data
    assert drawn.psnr_mean == pytest.approx(-10 * np.log10(np.mean(np.square(error))), abs=1e-3)
