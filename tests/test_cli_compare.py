import json

import pytest
import yaml
from typer.testing import CliRunner

from napari_vol2vol.cli import app
from segmentation_bundles import make_segmentation_bundle

SUITE = {
    "name": "mine", "task": "super-resolution", "target": "T1w", "block": 16, "samples": 2,
    "volumes": [{"name": "head", "files": {"T1w": "head.nii.gz"}}],
    "systems": ["trilinear", "smooth-inverse", {"system": "tpdm", "steps": 1, "label": "TPDM"}],
    "baseline": "trilinear", "precision": "float32", "device": "cpu", "view": {"zoom_size": 8},
}  # fmt: skip


def vol2vol(*arguments, code=0):
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert result.exit_code == code, (result.output, result.exception)
    return result


@pytest.fixture
def suite(head, tmp_path):
    from napari_vol2vol.io import write_volume

    write_volume(head, tmp_path / "head.nii.gz")
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(SUITE))
    return path


def test_compare_prints_the_table_and_leaves_tables_and_figures(suite, tiny_bundles, tmp_path):
    result = vol2vol("compare", suite, "-o", tmp_path / "out")
    assert result.stdout == (tmp_path / "out" / "table.md").read_text()
    assert "| head | TPDM |" in result.stdout
    assert "3: head TPDM" in result.stderr
    names = {p.name for p in (tmp_path / "out").iterdir()}
    assert names == {"rows.jsonl", "runs", "table.csv", "table.md", "table.json", "head.png"}


def test_json_on_stdout_is_the_table_and_a_rerun_keeps_its_rows(suite, tiny_bundles, tmp_path):
    command = ["compare", suite, "-o", tmp_path / "out", "--no-figures", "--json"]
    first, second = vol2vol(*command, "--only", "trilinear", "--only", "TPDM"), vol2vol(*command)
    assert [r["system"] for r in json.loads(first.stdout)["rows"]][:2] == ["trilinear", "TPDM"]
    assert "kept" not in first.stderr
    assert "head TPDM seed 0: kept from rows.jsonl" in second.stderr
    systems = [r["system"] for r in json.loads(second.stdout)["rows"]]
    assert systems[:3] == ["trilinear", "smooth-inverse", "TPDM"]
    assert not (tmp_path / "out" / "head.png").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"baseline": "x"}, "baseline: found 'x'"),
        ({"volumes": ["nowhere"]}, "nowhere not found in"),
        ({"view": {"point": [99, 0, 0]}}, "view: point: found voxel (99, 0, 0)"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_1_before_anything_is_run(suite, tmp_path, change, words):
    suite.write_text(yaml.safe_dump(SUITE | change))
    result = vol2vol("compare", suite, "-o", tmp_path / "out", "--volumes", tmp_path, code=1)
    assert words in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""
    assert not (tmp_path / "out").exists()


def test_default_features_bring_fid_and_kid_named_as_what_they_are(
    suite, tiny_bundles, tmp_path, monkeypatch
):
    make_segmentation_bundle(tmp_path / "bundles")
    monkeypatch.setenv("VOL2VOL_BUNDLES", str(tmp_path / "bundles"))
    two = [{"name": name, "files": {"T1w": "head.nii.gz"}} for name in ("one", "two")]
    suite.write_text(yaml.safe_dump(SUITE | {"volumes": two, "systems": ["trilinear", "smooth-inverse"]}))
    command = ["compare", suite, "-o", tmp_path / "out", "--no-figures"]
    plain, named = vol2vol(*command, "--features", "none"), vol2vol(*command)
    assert "FID" not in plain.stdout
    assert "| FID | KID |" in named.stdout
    assert "features of vol2vol brain-regions encoder, d = 16, not Inception" in named.stdout
    assert "N = 2 rows of each system against 2 of the references" in named.stdout
    assert named.stderr.count("kept") == 4


def test_features_that_are_not_there_are_told_before_anything_is_run(suite, tmp_path, monkeypatch):
    monkeypatch.setattr("napari_vol2vol.bundles.library.bundle_folders", lambda: [tmp_path])
    command = ["compare", suite, "-o", tmp_path / "out", "--only", "trilinear", "--features"]
    assert "`vol2vol train brain-regions`" in vol2vol(*command, "default", code=1).stderr
    assert "mine.pt does not exist; accepted are none" in vol2vol(*command, "mine.pt", code=1).stderr
    assert not (tmp_path / "out").exists()


def test_ctrl_c_ends_with_130_and_keeps_the_rows_so_far(suite, tmp_path, monkeypatch):
    from napari_vol2vol.evaluation import compare

    figures, count = compare.figures_of, []

    def interrupted(*arguments):
        if count:
            raise KeyboardInterrupt
        count.append(1)
        return figures(*arguments)

    monkeypatch.setattr(compare, "figures_of", interrupted)
    result = vol2vol("compare", suite, "-o", tmp_path / "out", "--only", "trilinear", "--only",
                     "smooth-inverse", code=130)  # fmt: skip
    assert "cancelled" in result.stderr
    assert len((tmp_path / "out" / "rows.jsonl").read_text().splitlines()) == 1
