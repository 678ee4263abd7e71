"""The report's figures, as PNG bytes."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.study.analysis.contests import Contest
from napari_vol2vol.study.statistics.roc import curve

DPI = 110
_FIXED = {"Software": None}


def proportions_figure(contest: Mapping[str, Any]) -> bytes | None:
    """Draw right answers of every reader and of all, with intervals and chance; None for other questions."""
    rows = [(name, r["correct"]) for name, r in contest["readers"].items() if "correct" in r]
    pooled = contest["pooled"].get("correct")
    if pooled and (tested := pooled.get(contest["pooled"]["inference"]) or pooled.get("cases")):
        rows.append(("all", tested))
    if not rows:
        return None
    figure, axes = _figure(5.0, 0.9 + 0.36 * len(rows))
    for place, (_, row) in enumerate(reversed(rows)):
        if row["low"] is not None:
            axes.plot([row["low"], row["high"]], [place, place], color="#33658a", lw=2)
        axes.plot(row["value"], place, "o", color="#33658a")
    margin = contest["readers"][rows[0][0]].get("equivalence", {}).get("margin")
    if margin is not None:
        axes.axvspan(0.5 - margin, 0.5 + margin, color="#d9d9d9", zorder=0, lw=0)
    axes.axvline(0.5, color="#888888", lw=1, ls="--")
    axes.set(xlim=(-0.02, 1.02), xlabel="share of right answers", yticks=range(len(rows)))
    axes.set_yticklabels([name for name, _ in reversed(rows)])
    return _png(figure)


def roc_figure(contest: Contest) -> bytes | None:
    """Draw the empirical ROC curve of every reader; None where there are no two classes."""
    figure, axes = _figure(3.6, 3.6)
    drawn = False
    for reader in contest.readers:
        own = [r for r in contest.of(reader) if r.score is not None]
        truth = [bool(r.positive) for r in own]
        if len(set(truth)) == 2:
            axes.plot(*curve([float(r.score or 0) for r in own], truth), marker=".", label=reader)
            drawn = True
    axes.plot([0, 1], [0, 1], color="#888888", lw=1, ls="--")
    axes.set(xlabel="false positive rate", ylabel="true positive rate", xlim=(0, 1), ylim=(0, 1.01))
    if drawn:
        axes.legend(loc="lower right", fontsize=8)
    png = _png(figure)
    return png if drawn else None


def times_figure(contest: Contest) -> bytes:
    """Draw the response time of every answer in the order of reading."""
    figure, axes = _figure(5.0, 2.4)
    for reader in contest.readers:
        own = contest.of(reader)
        axes.plot([r.order for r in own], [r.seconds for r in own], ".-", lw=0.7, label=reader)
    axes.set(xlabel="trial", ylabel="seconds")
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=8)
    return _png(figure)


def _figure(width: float, height: float) -> tuple[Any, Any]:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise SettingsError(
            "report: matplotlib is not installed; accepted is an installation with the extra [study] "
            "(pip install 'napari-vol2vol[study]')"
        ) from error
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.add_subplot()


def _png(figure: Any) -> bytes:
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=DPI, metadata=_FIXED)
    return stream.getvalue()
