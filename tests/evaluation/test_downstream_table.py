import csv
import json

import pytest

from napari_vol2vol.errors import RunError
from napari_vol2vol.evaluation.downstream import Arm, Score
from napari_vol2vol.evaluation.downstream_table import (
    as_csv,
    as_json_text,
    as_markdown,
    make_downstream_table,
    recovery,
    write_downstream,
)

TRUTH, DEGRADED = Arm("truth", "true FLAIR"), Arm("degraded", "no FLAIR")
TPDM, IDENTITY = Arm("system", "tpdm"), Arm("system", "identity")
#: (volume, arm, GM, oedema): volume b has no oedema.
DICE = [
    ("a", TRUTH, 0.9, 0.8), ("a", DEGRADED, 0.898, 0.4), ("a", TPDM, 0.88, 0.7), ("a", IDENTITY, 0.7, 0.3),
    ("b", TRUTH, 0.7, None), ("b", DEGRADED, 0.5, None), ("b", TPDM, 0.6, None), ("b", IDENTITY, 0.4, None),
]  # fmt: skip


@pytest.fixture
def table():
    scores = [
        Score(v, arm, r, d) for v, arm, *dice in DICE for r, d in zip(("GM", "oedema"), dice, strict=True)
    ]
    return make_downstream_table("A title", ["a note"], scores)


def line(table, volume, arm, region):
    (found,) = [x for x in table.lines if (x.volume, x.arm, x.region) == (volume, arm, region)]
    return found


def test_the_recovery_rate_is_the_share_of_the_lost_dice_that_comes_back():
    assert recovery(0.7, 0.5, 0.9).rate == pytest.approx(0.5)
    assert recovery(0.5, 0.5, 0.9).rate == 0
    assert recovery(0.9, 0.5, 0.9).rate == 1
    assert recovery(0.4, 0.5, 0.9).rate == pytest.approx(-0.25)
    assert recovery(0.95, 0.5, 0.9).rate == pytest.approx(1.125)


@pytest.mark.parametrize(
    ("ends", "reason"),
    [
        ((0.9, 0.9), "truth and degraded input differ by less than 0.005 Dice"),
        ((0.896, 0.9), "differ by less than 0.005"),
        ((0.904, 0.9), "differ by less than 0.005"),
        ((0.95, 0.9), "the degraded input is segmented better than the truth"),
        ((None, None), "no such region"),
    ],
)
def test_a_rate_over_next_to_nothing_is_none_and_says_why(ends, reason):
    found = recovery(0.7 if ends[0] else None, *ends)
    assert found.rate is None
    assert reason in found.reason


def test_a_mean_is_over_the_volumes_that_have_the_region_and_says_how_many(table):
    gm, oedema = (line(table, "mean", TPDM, region) for region in ("GM", "oedema"))
    assert (gm.n, oedema.n) == (2, 1)
    assert gm.dice == pytest.approx((0.88 + 0.6) / 2)
    assert oedema.dice == pytest.approx(0.7)
    assert gm.recovery.rate == pytest.approx((0.74 - 0.699) / (0.8 - 0.699))
    assert oedema.recovery.rate == pytest.approx(0.75)


def test_the_rate_of_a_volume_with_a_tiny_gap_is_not_hidden_but_explained(table):
    texts = line(table, "a", TPDM, "GM").texts()
    assert texts == {
        "dice": "0.8800", "recovery": "n/a",
        "reason": "truth and degraded input differ by less than 0.005 Dice",
    }  # fmt: skip
    text = as_markdown(table)
    assert "| a | tpdm | 0.8800 (n/a, 1) | 0.7000 (75.0 %) |" in text
    assert "| b | tpdm | 0.6000 (50.0 %) | n/a (n/a, 2) |" in text
    assert "\n1. truth and degraded input differ" in text
    assert "\n2. no such region in the volume" in text
    assert "| mean of 2 / 1 | no FLAIR | 0.6990 | 0.4000 |" in text


def test_seeds_are_averaged_within_a_volume_first():
    scores = [Score("a", TRUTH, "GM", 0.9), Score("a", DEGRADED, "GM", 0.5)]
    scores += [Score("a", TPDM, "GM", value) for value in (0.6, 0.8)]
    found = line(make_downstream_table("t", [], scores), "mean", TPDM, "GM")
    assert (found.n, found.dice, found.recovery.rate) == (1, pytest.approx(0.7), pytest.approx(0.5))


def test_the_three_formats_hold_the_same_figures(table):
    lines = [text for text in as_csv(table).splitlines() if not text.startswith("#")]
    by_csv, by_json = list(csv.DictReader(lines)), json.loads(as_json_text(table))["rows"]
    assert len(by_csv) == len(by_json) == len(table.lines) == 3 * 4 * 2
    markdown = as_markdown(table)
    for c, j in zip(by_csv, by_json, strict=True):
        assert [c[k] for k in ("kind", "volume", "arm", "images", "region")] == [
            j[k] for k in ("kind", "volume", "arm", "images", "region")
        ]
        assert int(c["n"]) == j["n"]
        for key in ("dice", "recovery"):
            assert (c[key] == "n/a") == (j[key] is None)
            assert c[key] == "n/a" or float(c[key]) == j[key]
        assert (j["recovery"] is None) == bool(j["reason"]) == bool(c["reason"])
        assert c["dice"] in markdown
    assert as_csv(table).startswith("# A title\n# a note\nkind,volume,n,arm,images,region,dice,")


def test_all_three_files_are_written_with_what_more_there_is(table, tmp_path):
    paths = write_downstream(table, tmp_path / "new", {"suite": "mine"})
    assert [p.name for p in paths] == ["downstream.csv", "downstream.md", "downstream.json"]
    assert paths[1].read_text() == as_markdown(table)
    assert json.loads(paths[2].read_text())["suite"] == "mine"
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="file: tables cannot be written"):
        write_downstream(table, tmp_path / "file")
