"""From a suite and its rows to the downstream table in the folder of the comparison."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from napari_vol2vol import __version__
from napari_vol2vol.bundles.card import BundleCard
from napari_vol2vol.evaluation.cases import Case
from napari_vol2vol.evaluation.downstream import Judge, degraded_arm, downstream, regions_to_score
from napari_vol2vol.evaluation.downstream_table import (
    SMALLEST_GAP,
    DownstreamTable,
    make_downstream_table,
    write_downstream,
)
from napari_vol2vol.evaluation.rows import Row
from napari_vol2vol.evaluation.suite import Suite

_WORDS = {"mean": "the mean of the samples", "sample": "the first sample"}


def report_downstream(
    suite: Suite,
    cases: Sequence[Case],
    rows: Sequence[Row],
    output: Path,
    judge: Judge,
    *,
    answer: str = "mean",
    say: Callable[[str], None] = lambda text: None,
) -> DownstreamTable:
    """Score everything (`downstream`), write ``downstream.csv``, ``.md``, ``.json`` and return the table."""
    scores = list(downstream(suite, cases, rows, output, judge, answer=answer, say=say))
    card = judge.card
    title = f"downstream segmentation: {suite.title or suite.name}"
    table = make_downstream_table(title, notes_of(suite, cases, card, answer), scores)
    more = {
        "suite": suite.name,
        "bundle": card.name,
        "weights": card.weights,
        "answer": answer,
        "regions": regions_to_score(card),
    }
    write_downstream(table, output, more)
    return table


def notes_of(suite: Suite, cases: Sequence[Case], card: BundleCard, answer: str) -> list[str]:
    """Return the lines above the table that say what its figures are."""
    target = suite.target
    others = [name for name in card.inputs if name != target]
    beside = f"; {', '.join(others)} stays the true one" if others else ""
    blocks = ", ".join(dict.fromkeys("×".join(map(str, case.reference.shape)) for case in cases))
    scored = regions_to_score(card).items()
    unions = [f"{name} = {', '.join(parts)}" for name, parts in scored if len(parts) > 1]
    notes = [
        f"bundle {card.name} segments {', '.join(card.inputs)} with {_WORDS[answer]} of each system in place "
        f"of the true {target}{beside}; blocks of {blocks} voxels (z, y, x), each normalised by itself",
        _degraded_note(suite, cases[0]),
        f"Dice against the labels of N = {len(cases)} procedural heads; behind it the recovery rate "
        "(prediction - degraded) / (truth - degraded), where 0 % is the degraded input and 100 % the truth; "
        "that of a mean is of the mean Dice over the heads that have the region; n/a where the truth is not "
        f"at least {SMALLEST_GAP:g} Dice better than the degraded input",
    ]
    if unions:
        notes.append("; ".join(unions))
    return [*notes, f"napari-vol2vol {__version__}, segmentation on the CPU in float32; {card.limits}"]


def _degraded_note(suite: Suite, case: Case) -> str:
    label = degraded_arm(suite).label
    if suite.degrades:
        factor = " × ".join(str(k) for k in case.factor)
        return f"degraded is “{label}”: block means of {factor} voxels, interpolated to the fine grid"
    return (
        f"degraded is “{label}”: nothing is measured of it, so its channel is empty; a fair lower end for a "
        "network that was trained with missing modalities, as brain-regions was"
    )
