import math
from dataclasses import replace

import pytest

from napari_vol2vol.evaluation.aggregate import COLUMNS, make_table
from napari_vol2vol.evaluation.rows import Row
from napari_vol2vol.evaluation.set_distances import Distances
from napari_vol2vol.metrics import Discrepancy

ROW = Row(
    "d", "a", "tpdm", 0, 5, 8, "planes", "cpu", "float32", 30.0, 0.2, 0.9, 0.01, 0.02, 0.001, 31.0,
    0.92, 0.018, None, 1.5, 0.012, 0.45, 0.6, 0.8, 0.9, 0.3, 0.4, 1e-7, 2.0, 0.25, 1.5, True,
)  # fmt: skip


def row(volume, system, **changes):
    return replace(ROW, volume=volume, system=system, **changes)


def line_of(table, kind, system, volume=None):
    (found,) = [
        line
        for line in table.lines
        if line.kind == kind and line.system == system and volume in (None, line.volume)
    ]
    return found


ROWS = [
    row("a", "base", psnr_mean=28.0), row("a", "tpdm"),
    row("b", "base", psnr_mean=30.0), row("b", "tpdm", psnr_mean=35.0, peak_gib=2.5),
]  # fmt: skip


def test_volumes_come_first_then_means_then_differences():
    table = make_table("t", [], ROWS, "base")
    assert [(line.kind, line.volume, line.system) for line in table.lines] == [
        ("volume", "a", "base"), ("volume", "a", "tpdm"), ("volume", "b", "base"), ("volume", "b", "tpdm"),
        ("mean", "mean", "base"), ("mean", "mean", "tpdm"), ("difference", "mean − base", "tpdm"),
    ]  # fmt: skip


def test_a_mean_is_over_the_volumes_and_the_peak_is_the_largest():
    mean = line_of(make_table("t", [], ROWS, "base"), "mean", "tpdm").values
    assert mean["psnr_mean"] == 33.0
    assert mean["peak_gib"] == 2.5
    assert mean["ms_ssim"] is None


def test_a_difference_is_the_mean_of_the_paired_ones_and_spreads_have_none():
    difference = line_of(make_table("t", [], ROWS, "base"), "difference", "tpdm")
    assert difference.values["psnr_mean"] == pytest.approx(((31 - 28) + (35 - 30)) / 2)
    assert difference.values["psnr_std"] is None
    assert difference.texts()["psnr_mean"] == "+4.00"
    assert not [line for line in make_table("t", [], ROWS).lines if line.kind == "difference"]


def test_seeds_are_averaged_within_a_volume():
    rows = [row("a", "tpdm", psnr_mean=30.0), row("a", "tpdm", seed=1, psnr_mean=32.0), row("b", "tpdm")]
    table = make_table("t", [], rows)
    assert line_of(table, "volume", "tpdm", "a").values["psnr_mean"] == 31.0
    assert line_of(table, "mean", "tpdm").values["psnr_mean"] == 31.0


def test_one_volume_needs_no_mean_but_has_differences():
    table = make_table("t", [], ROWS[:2], "base")
    assert [line.kind for line in table.lines] == ["volume", "volume", "difference"]
    assert line_of(table, "difference", "tpdm").volume == "a − base"
    assert line_of(table, "difference", "tpdm").values["psnr_mean"] == 3.0


def test_a_system_that_misses_a_volume_gets_no_mean():
    table = make_table("t", [], [*ROWS, row("a", "palette")], "base")
    assert line_of(table, "volume", "palette").volume == "a"
    assert "palette" not in [line.system for line in table.lines if line.kind != "volume"]


def test_a_figure_missing_in_one_volume_has_no_mean():
    table = make_table("t", [], [row("a", "tpdm"), row("b", "tpdm", mace=None)])
    assert line_of(table, "mean", "tpdm").values["mace"] is None


def test_infinite_figures_keep_their_sign():
    rows = [row("a", "base", psnr_mean=math.inf), row("a", "same", psnr_mean=math.inf), row("a", "tpdm")]
    table = make_table("t", [], rows, "base")
    assert line_of(table, "difference", "tpdm").texts()["psnr_mean"] == "-inf"
    assert line_of(table, "difference", "same").values["psnr_mean"] is None


def test_distances_of_sets_stand_in_the_means_alone():
    far = Distances(Discrepancy("mmd_squared_linear", 12.5, 2, 2, 64))
    near = Distances(Discrepancy("mmd_squared_linear", 2.5, 2, 2, 64))
    table = make_table("t", [], ROWS, "base", {"base": far, "tpdm": near})
    assert line_of(table, "volume", "tpdm", "a").values.get("volume_mmd") is None
    assert line_of(table, "mean", "tpdm").values["volume_mmd"] == 2.5
    assert line_of(table, "difference", "tpdm").values["volume_mmd"] == -10.0


def test_every_figure_of_a_row_has_a_column():
    figures = {name for name, value in vars(ROW).items() if isinstance(value, float)} | {"ms_ssim"}
    assert figures <= {c.key for c in COLUMNS}
    assert len({c.key for c in COLUMNS}) == len(COLUMNS)
