import json

import pytest
import yaml
from typer.testing import CliRunner

from napari_vol2vol.cli import app
from segmentation_bundles import make_segmentation_bundle

SUITE = {
    "name": "mine", "task": "super-resolution", "target": "FLAIR", "block": 28, "factor": [4, 4, 4],
    "volumes": [{"name": "head", "phantom": {"seed": 920001, "shape": [40, 40, 40], "lesion": True}}],
    "systems": ["trilinear", "smooth-inverse"], "precision": "float32", "device": "cpu",
}  # fmt: skip


def vol2vol(*arguments, code=0):
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert result.exit_code == code, (result.output, result.exception)
    return result


@pytest.fixture
def suite(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(SUITE))
    return path


@pytest.fixture
def bundle(tmp_path, monkeypatch):
    monkeypatch.setenv("VOL2VOL_BUNDLES", str(tmp_path / "bundles"))
    return make_segmentation_bundle(tmp_path / "bundles")


def test_downstream_runs_what_is_missing_and_prints_the_table(suite, bundle, tmp_path):
    result = vol2vol("downstream", suite, "-o", tmp_path / "out")
    assert result.stdout == (tmp_path / "out" / "downstream.md").read_text()
    assert "| head | trilinear FLAIR |" in result.stdout
    assert "| mean of 1 | smooth-inverse |" in result.stdout
    assert "kept" not in result.stderr
    names = {p.name for p in (tmp_path / "out").iterdir()}
    assert names == {"rows.jsonl", "runs", "downstream.csv", "downstream.md", "downstream.json"}


def test_rows_of_compare_are_reused(suite, bundle, tmp_path):
    vol2vol("compare", suite, "-o", tmp_path / "out", "--no-figures")
    rows = (tmp_path / "out" / "rows.jsonl").read_text()
    result = vol2vol("downstream", suite, "-o", tmp_path / "out", "--json", "--bundle", bundle)
    assert result.stderr.count("kept from rows.jsonl") == 2
    assert (tmp_path / "out" / "rows.jsonl").read_text() == rows
    written = json.loads(result.stdout)
    assert written["bundle"] == "brain-regions"
    assert {r["arm"] for r in written["rows"]} == {"truth", "degraded", "system"}


def test_only_the_systems_that_are_asked_for(suite, bundle, tmp_path):
    command = ["downstream", suite, "-o", tmp_path / "out", "--only", "smooth-inverse", "--answer", "sample"]
    result = vol2vol(*command)
    assert "| head | smooth-inverse |" in result.stdout
    assert "| head | trilinear |" not in result.stdout
    assert "the first sample of each system" in result.stdout


@pytest.mark.parametrize(
    ("change", "more", "words"),
    [
        ({"target": "T1w"}, [], "target: found T1w, the segmentation bundle accepts T1ce, FLAIR"),
        ({"volumes": ["colin27"]}, [], "found colin27 without labels"),
        ({}, ["--answer", "best"], "answer: found 'best', accepted are mean, sample"),
        ({}, ["--only", "tpdm"], "only: found tpdm, suite mine has trilinear, smooth-inverse"),
        ({}, ["--bundle", "mine"], "segmentation bundle: found 'mine', installed are brain-regions"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_1_before_anything_is_run(
    suite, bundle, tmp_path, change, more, words
):
    suite.write_text(yaml.safe_dump(SUITE | change))
    result = vol2vol("downstream", suite, "-o", tmp_path / "out", *more, code=1)
    assert words in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""
    assert not (tmp_path / "out").exists()


def test_without_the_bundle_the_message_names_the_recipe(suite, tmp_path, monkeypatch):
    monkeypatch.setattr("napari_vol2vol.bundles.library.bundle_folders", lambda: [tmp_path])
    result = vol2vol("downstream", suite, "-o", tmp_path / "out", code=1)
    assert "`vol2vol train brain-regions`" in result.stderr
    assert not (tmp_path / "out").exists()


def test_ctrl_c_ends_with_130_and_keeps_the_rows(suite, bundle, tmp_path, monkeypatch):
    from napari_vol2vol.evaluation import downstream

    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(downstream, "segment", interrupted)
    result = vol2vol("downstream", suite, "-o", tmp_path / "out", code=130)
    assert "cancelled" in result.stderr
    assert len((tmp_path / "out" / "rows.jsonl").read_text().splitlines()) == 2
    assert not (tmp_path / "out" / "downstream.md").exists()
