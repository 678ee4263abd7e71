"""What readers did together. Cases are the unit: answers of several readers to one are not independent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_vol2vol.study.analysis.by_reader import CHANCE, label
from napari_vol2vol.study.analysis.contests import Contest, crossed, table, unit
from napari_vol2vol.study.design import Study
from napari_vol2vol.study.json_fields import encode
from napari_vol2vol.study.readings import Reading
from napari_vol2vol.study.statistics.agreement import (
    cohen_kappa,
    fleiss_kappa,
    gwet_ac1,
    intraclass_correlations,
    krippendorff_alpha,
)
from napari_vol2vol.study.statistics.clustered import bootstrap_mean
from napari_vol2vol.study.statistics.multi_reader import (
    Figures,
    auc_figures,
    mean_against,
    mean_equivalence,
    proportion_figures,
    usual_inference,
)
from napari_vol2vol.study.statistics.obuchowski_rockette import Inference
from napari_vol2vol.study.statistics.proportions import exact_proportion

WORDS: dict[str, str] = {
    "readers and cases": "holds for readers and cases like these",
    "cases": "holds for cases like these, read by these readers only",
    "readers": "holds for readers like these on these cases only",
}


def pooled_results(contest: Contest, study: Study) -> dict[str, Any]:
    """Return the results over all readers as JSON: proportion correct, area, agreement."""
    tests, readers = contest.tests, contest.readers
    units = crossed(tests, readers)
    inference = usual_inference(len(readers))
    found: dict[str, Any] = {
        "readers": len(readers), "cases": len({r.case for r in tests}), "read_by_all": len(units),
        "inference": inference, "words": WORDS[inference],
    }  # fmt: skip
    if contest.question.kind in ("2afc", "yes-no"):
        found["correct"] = _correct(contest, study, units) if contest.balanced else None
    found["auc"] = _area(contest, study, units, inference)
    found["agreement"] = agreement(contest)
    return found


def per_case(tests: Sequence[Reading]) -> NDArray[np.float64]:
    """Return the share of right answers to each case, over volumes and readers `(cases,)`."""
    by_case: dict[str, list[bool]] = {}
    for reading in tests:
        by_case.setdefault(reading.case, []).append(bool(reading.correct))
    return np.array([np.mean(answers) for answers in by_case.values()])


def agreement(contest: Contest) -> dict[str, Any] | None:
    """Return how far readers agree on what all of them read; None with one reader."""
    readers, tests = contest.readers, contest.tests
    units = crossed(tests, readers)
    if len(readers) < 2 or not units:
        return None
    labels = {(r.reader, unit(r)): label(r) for r in tests}
    answers = [[labels[reader, u] for u in units] for reader in readers]
    every = sorted({unit(r) for r in tests})
    found: dict[str, Any] = {
        "cases": len(units), "fleiss_kappa": fleiss_kappa(answers), "gwet_ac1": gwet_ac1(answers),
        "krippendorff_alpha": krippendorff_alpha([[labels.get((r, u)) for u in every] for r in readers]),
        "cohen_kappa": encode(cohen_kappa(answers[0], answers[1])) if len(readers) == 2 else None,
    }  # fmt: skip
    if contest.question.kind == "rating":
        found["icc"] = _icc(table(tests, readers, units, "value").T)
    return found


def _correct(contest: Contest, study: Study, units: Sequence[Any]) -> dict[str, Any]:
    """Test the mean share of right answers against chance, cases being drawn (and readers, with three)."""
    cases = per_case(contest.tests)
    figures = {"cases": proportion_figures(cases[None, None])} if cases.size > 1 else {}
    readers = contest.readers
    if len(readers) >= 3 and len(units) > 1:
        scores = table(contest.tests, readers, units, "correct")[None]
        figures["readers and cases"] = proportion_figures(scores, [case for case, _ in units])
    found: dict[str, Any] = {
        "value": float(cases.mean()),
        "sign_test": _sign_test(cases),
        "bootstrap": encode(bootstrap_mean(cases, study.seed, study.alpha)) if cases.size > 1 else None,
    }
    for name, given in figures.items():
        chosen: Inference = "cases" if name == "cases" else "readers and cases"
        found[name] = _tested(given, chosen, study)
    return found


def _tested(figures: Figures, inference: Inference, study: Study) -> dict[str, Any]:
    value, low, high, df, p = mean_against(figures, CHANCE, inference, study.alpha)
    found: dict[str, Any] = {"value": value, **_clipped(low, high, p), "df": _finite(df), "p": p}
    if study.margin is not None:
        tested = mean_equivalence(figures, study.margin, CHANCE, inference, study.alpha)
        found["equivalence"] = tested and (
            encode(tested)
            | {
                "p": tested.p, "equivalent": tested.equivalent,
                "not_better_than_chance": tested.not_better_than_chance,
            }
        )  # fmt: skip
    return found


def _area(
    contest: Contest, study: Study, units: Sequence[Any], inference: Inference
) -> dict[str, Any] | None:
    """Return the mean area over readers on what all of them read, and its test against 1/2."""
    readers, tests = contest.readers, contest.tests
    if contest.question.kind == "2afc":
        return None  # sides differ between readers, so one case is left for one and right for another
    truth = [next(bool(r.positive) for r in tests if unit(r) == u) for u in units]
    if min(truth.count(True), truth.count(False)) < 2:
        return None
    scores = table(tests, readers, units, "score")[None]
    figures = auc_figures(scores, truth, "jackknife", [case for case, _ in units])
    value, low, high, df, p = mean_against(figures, CHANCE, inference, study.alpha)
    return {
        "value": value, **_clipped(low, high, p), "df": _finite(df), "p": p,
        "by_reader": dict(zip(readers, figures.values[0].tolist(), strict=True)), "method": "jackknife",
    }  # fmt: skip


def _sign_test(cases: NDArray[np.float64]) -> dict[str, Any] | None:
    """Return the exact test of as many cases above chance as below: needs no variation between cases."""
    above, below = int((cases > CHANCE).sum()), int((cases < CHANCE).sum())
    if above + below == 0:
        return None
    return {"above": above, "below": below, "p": exact_proportion(above, above + below).p}


def _icc(ratings: NDArray[np.float64]) -> dict[str, Any] | None:
    if (
        min(ratings.shape) < 2
        or np.ptp(ratings.mean(1)) == 0
        or np.ptp(ratings - ratings.mean(1)[:, None]) == 0
    ):
        return None
    return {form: encode(icc) for form, icc in intraclass_correlations(ratings).items()}


def _clipped(low: float, high: float, p: float | None) -> dict[str, float | None]:
    """Return the interval within 0 to 1; without an error to estimate there is none."""
    return {"low": None, "high": None} if p is None else {"low": max(low, 0.0), "high": min(high, 1.0)}


def _finite(df: float) -> float | None:
    return float(df) if np.isfinite(df) else None
