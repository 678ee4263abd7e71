"""What one reader did: right answers, d', area, times, preferences, drift, agreement with himself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from napari_vol2vol.study.analysis.contests import Contest, unit
from napari_vol2vol.study.json_fields import encode
from napari_vol2vol.study.readings import Reading
from napari_vol2vol.study.statistics.agreement import cohen_kappa
from napari_vol2vol.study.statistics.detection import Detection, two_alternative, yes_no
from napari_vol2vol.study.statistics.multi_reader import auc_figures
from napari_vol2vol.study.statistics.obuchowski_rockette import obuchowski_rockette
from napari_vol2vol.study.statistics.proportions import exact_equivalence, exact_proportion

CHANCE = 0.5


def reader_results(contest: Contest, reader: str, alpha: float, margin: float | None) -> dict[str, Any]:
    """Return the results of one reader as JSON."""
    own = contest.of(reader)
    found: dict[str, Any] = {
        "answers": len(own),
        "auc": area(own, alpha),
        "times": times(own),
        "drift": drift(own),
    }
    if contest.question.kind in ("2afc", "yes-no"):
        right = sum(bool(r.correct) for r in own)
        proportion = encode(exact_proportion(right, len(own), CHANCE, alpha))
        if not contest.balanced:
            proportion |= {"p": None, "note": _unbalanced(own)}
        found |= {"correct": proportion, "detection": encode(detection(own)), "preference": preference(own)}
        if margin is not None and contest.balanced:
            tested = exact_equivalence(right, len(own), margin, CHANCE, alpha)
            found["equivalence"] = encode(tested) | {"p": tested.p, "equivalent": tested.equivalent}
    found["repeats"] = repeats(contest, reader)
    return found


def detection(own: Sequence[Reading]) -> Detection | None:
    """Return d' and criterion; None where one side or class never was right."""
    positives = [r for r in own if r.positive]
    negatives = [r for r in own if not r.positive]
    if not positives or not negatives:
        return None
    rule = two_alternative if own[0].kind == "2afc" else yes_no
    hits = sum(bool(r.correct) for r in positives)
    return rule(hits, len(positives), sum(not r.correct for r in negatives), len(negatives))


def area(own: Sequence[Reading], alpha: float) -> dict[str, Any] | None:
    """Return the area under the ROC curve from signed confidence, with its interval over cases.

    DeLong's covariance where every case stands for one volume, else the jackknife over cases.
    """
    truth = [bool(r.positive) for r in own]
    if min(truth.count(True), truth.count(False)) < 2:
        return None
    cases = [r.case for r in own]
    scores = np.array([[[r.score for r in own]]], float)
    method = "delong" if len(set(cases)) == len(cases) else "jackknife"
    figures = auc_figures(scores, truth, "delong" if method == "delong" else "jackknife", cases)
    mean = obuchowski_rockette(figures.values, figures.covariance, "cases", alpha).means[0]
    known = mean.standard_error > 0  # perfect ranking leaves nothing to estimate an error from
    return {
        "value": mean.value, "standard_error": mean.standard_error if known else None,
        "low": max(mean.low, 0.0) if known else None, "high": min(mean.high, 1.0) if known else None,
        "method": method,
    }  # fmt: skip


def times(own: Sequence[Reading]) -> dict[str, Any]:
    """Return quartiles of the response times in seconds, and medians of right and wrong answers."""
    seconds = [r.seconds for r in own]
    low, middle, high = (float(v) for v in np.percentile(seconds, [25, 50, 75]))
    right, wrong = ([r.seconds for r in own if r.correct is flag] for flag in (True, False))
    return {
        "median": middle, "quartiles": [low, high],
        "median_right": float(np.median(right)) if right else None,
        "median_wrong": float(np.median(wrong)) if wrong else None,
    }  # fmt: skip


def preference(own: Sequence[Reading]) -> dict[str, Any]:
    """Return how often the reader said *left* (or *yes*), and the exact test of what the truth would give."""
    word = "left" if own[0].kind == "2afc" else "yes"
    said = sum(r.value == word for r in own)
    expected = sum(bool(r.positive) for r in own) / len(own)
    return {"answer": word, "expected": expected, **encode(exact_proportion(said, len(own), expected))}


def drift(own: Sequence[Reading]) -> dict[str, Any]:
    """Compare the first half of the reading with the second, and correlate time with order."""
    from scipy.stats import fisher_exact, spearmanr

    found: dict[str, Any] = {"time_with_order": None, "time_p": None}
    if len(own) > 2 and np.ptp([r.seconds for r in own]) > 0:
        test = spearmanr([r.order for r in own], [r.seconds for r in own])
        found |= {"time_with_order": float(test.statistic), "time_p": float(test.pvalue)}
    if own[0].correct is not None and len(own) > 1:
        halves = own[: len(own) // 2], own[len(own) // 2 :]
        counts = [[sum(bool(r.correct) for r in h), sum(not r.correct for r in h)] for h in halves]
        found |= {
            "first_half": counts[0][0] / len(halves[0]), "second_half": counts[1][0] / len(halves[1]),
            "halves_p": float(fisher_exact(counts).pvalue),
        }  # fmt: skip
    return found


def repeats(contest: Contest, reader: str) -> dict[str, Any] | None:
    """Return how often the reader answered the same volumes alike twice; None without repeats."""
    first = {unit(r): label(r) for r in contest.of(reader)}
    again = [r for r in contest.readings if r.reader == reader and r.role == "repeat" and unit(r) in first]
    if not again:
        return None
    one, other = [first[unit(r)] for r in again], [label(r) for r in again]
    same = sum(a == b for a, b in zip(one, other, strict=True))
    return {"n": len(again), "same": same, "kappa": encode(cohen_kappa(one, other))}


def label(reading: Reading) -> str:
    """Return what was answered, whatever the sides: the arm chosen of a pair, else the value."""
    if reading.kind == "2afc":
        return reading.arms[0 if reading.value == "left" else 1]
    return str(reading.value)


def _unbalanced(own: Sequence[Reading]) -> str:
    share = sum(bool(r.positive) for r in own) / len(own)
    return (
        f"positives are {share:.0%} of the volumes, so a reader who always gives one answer is right in "
        f"{max(share, 1 - share):.0%}: see d' and the area instead"
    )
