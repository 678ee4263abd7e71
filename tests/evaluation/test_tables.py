import csv
import json

import pytest

from evaluation.test_aggregate import ROWS, row
from napari_vol2vol.errors import RunError
from napari_vol2vol.evaluation.aggregate import make_table
from napari_vol2vol.evaluation.tables import as_csv, as_json_text, as_markdown, write_tables


@pytest.fixture
def table():
    one = row("a", "one answer", psnr_std=None, ssim_std=None, mae_std=None, mace=None, psnr_single=31.237)
    return make_table("A title", ["data range 1"], [*ROWS, one, row("b", "one answer", mace=None)], "base")


def from_csv(table):
    lines = [line for line in as_csv(table).splitlines() if not line.startswith("#")]
    return list(csv.DictReader(lines))


def from_markdown(table):
    lines = [line for line in as_markdown(table).splitlines() if line.startswith("|")]
    cells = [[c.strip() for c in line.strip("|").split("|")] for line in (lines[0], *lines[2:])]
    return [dict(zip(cells[0], row_cells, strict=True)) for row_cells in cells[1:]]


def test_the_three_formats_hold_the_same_figures(table):
    by_csv, by_json, by_markdown = (
        from_csv(table),
        json.loads(as_json_text(table))["rows"],
        from_markdown(table),
    )
    assert len(by_csv) == len(by_json) == len(by_markdown) == len(table.lines)
    compared = 0
    for c, j, m in zip(by_csv, by_json, by_markdown, strict=True):
        assert (c["volume"], c["system"]) == (j["volume"], j["system"]) == (m["volume"], m["system"])
        assert list(c) == list(j)
        for column in table.columns:
            key = next(k for k in c if k == column.key or k.startswith(f"{column.key}_x"))
            assert (j[key] is None) == (c[key] == "")
            if c[key]:
                assert float(c[key]) == j[key]
            if column.title in m:
                text, _, spread = m[column.title].replace("**", "").partition(" ± ")
                assert text == (c[key] or "–")
                if column.spread:
                    beside = next(k for k in c if k.startswith(column.spread))
                    assert spread == c[beside]
                compared += 1
    assert compared > 100


def test_the_title_and_the_data_range_head_every_format(table):
    assert as_csv(table).startswith("# A title\n# data range 1\nkind,volume,system,")
    assert as_markdown(table).startswith("# A title\n\n- data range 1\n")
    assert json.loads(as_json_text(table))["notes"] == ["data range 1"]


def test_the_best_of_each_volume_is_bold_ties_included(table):
    rows = from_markdown(table)
    of_a = {r["system"]: r for r in rows if r["volume"] == "a"}
    assert of_a["one answer"]["PSNR single"] == "**31.24**"
    assert of_a["tpdm"]["PSNR single"] == "30.00 ± 0.20"
    assert of_a["tpdm"]["PSNR mean of N"] == of_a["one answer"]["PSNR mean of N"] == "**31.00**"
    assert of_a["base"]["PSNR mean of N"] == "28.00"
    assert of_a["one answer"]["MACE ×1e4"] == "–"


def test_low_is_best_for_errors_and_nearest_for_coverage():
    rows = [
        row("a", "over", mae_mean=0.01, coverage_50=0.7, coverage_95=0.99),
        row("a", "under", mae_mean=0.02, coverage_50=0.4, coverage_95=0.90),
    ]
    over, under = from_markdown(make_table("t", [], rows))[:2]
    assert over["MAE mean of N ×1e3"] == "**10.00**"
    assert under["MAE mean of N ×1e3"] == "20.00"
    assert (over["in 50 %"], under["in 50 %"]) == ("0.700", "**0.400**")
    assert (over["in 95 %"], under["in 95 %"]) == ("**0.990**", "0.900")


def test_a_single_system_and_differences_have_no_best(table):
    assert "**" not in as_markdown(make_table("t", [], [row("a", "tpdm")]))
    assert not [
        r for r in from_markdown(table) if r["volume"] == "mean − base" and "**" in "".join(r.values())
    ]


def test_a_column_without_any_figure_is_left_out(table):
    assert "MS-SSIM mean of N" not in as_markdown(table)
    assert "ms_ssim" not in as_csv(table)
    with_one = make_table("t", [], [row("a", "tpdm", ms_ssim=0.98)])
    assert from_csv(with_one)[0]["ms_ssim"] == "0.9800"


def test_infinity_is_valid_json():
    text = as_json_text(make_table("t", [], [row("a", "tpdm", psnr_mean=float("inf"))]))

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    assert json.loads(text, parse_constant=refuse)["rows"][0]["psnr_mean"] == "inf"


def test_all_three_files_are_written_with_what_more_there_is(table, tmp_path):
    paths = write_tables(table, tmp_path / "new", {"suite": "mine"})
    assert [p.name for p in paths] == ["table.csv", "table.md", "table.json"]
    assert paths[0].read_text() == as_csv(table)
    assert paths[1].read_text() == as_markdown(table)
    assert json.loads(paths[2].read_text())["suite"] == "mine"
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="file: tables cannot be written"):
        write_tables(table, tmp_path / "file")
