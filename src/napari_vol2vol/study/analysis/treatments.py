"""Arms against one another: multi-reader analysis, McNemar and Cochran, non-inferiority."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np

from napari_vol2vol.study.analysis.contests import Contest
from napari_vol2vol.study.design import Study
from napari_vol2vol.study.json_fields import encode
from napari_vol2vol.study.readings import Reading
from napari_vol2vol.study.statistics.multi_reader import Figures, auc_figures, compare, proportion_figures
from napari_vol2vol.study.statistics.obuchowski_rockette import INFERENCES, Analysis, tail
from napari_vol2vol.study.statistics.paired import cochran_q, mcnemar


def treatment_results(study: Study, group: Sequence[Contest]) -> dict[str, Any] | None:
    """Compare the treatments of one question; None where they were not read by all on the same cases."""
    readers = [r for r in group[0].readers if all(r in contest.readers for contest in group)]
    cases = _shared_cases(group, readers)
    if len(group) < 2 or len(cases) < 2 or not readers:
        return None
    names = [contest.treatment for contest in group]
    found: dict[str, Any] = {
        "question": group[0].question.name,
        "treatments": names,
        "readers": readers,
        "cases": len(cases),
    }
    if group[0].question.kind in ("2afc", "yes-no"):
        scores = np.array([[_right(contest, r, cases) for r in readers] for contest in group])
        found["correct"] = _multi_reader(study, proportion_figures(scores), len(readers))
        found["within_readers"] = {r: _paired(scores[:, n], names) for n, r in enumerate(readers)}
    if group[0].question.kind in ("yes-no", "rating"):
        area = _areas(group, readers)
        found["auc"] = area and {
            method: _multi_reader(study, figures, len(readers)) for method, figures in area.items()
        }
    return found


def _shared_cases(group: Sequence[Contest], readers: Sequence[str]) -> list[str]:
    sets = [{r.case for r in _judged(contest, reader)} for contest in group for reader in readers]
    return sorted(set.intersection(*sets)) if sets else []


def _judged(contest: Contest, reader: str) -> list[Reading]:
    """Return the answers that tell treatments apart: about the arm itself, its positives only."""
    own = contest.of(reader)
    about_arm = contest.question.kind != "2afc" and contest.question.finding is None
    return [r for r in own if r.positive] if about_arm else own


def _right(contest: Contest, reader: str, cases: Sequence[str]) -> list[float]:
    right = {r.case: bool(r.correct) for r in _judged(contest, reader)}
    return [float(right[case]) for case in cases]


def _areas(group: Sequence[Contest], readers: Sequence[str]) -> dict[str, Figures] | None:
    """Return areas of all treatments and readers, where all were read on the same volumes."""
    keys = [[_keys(contest, reader) for reader in readers] for contest in group]
    if any(sorted(k) != sorted(keys[0][0]) for row in keys for k in row):
        return None
    order = sorted(keys[0][0])
    truth = [positive for _, positive in order]
    if min(truth.count(True), truth.count(False)) < 2:
        return None
    scores = np.array([[[own[key] for key in order] for own in row] for row in keys], float)
    cases = [case for case, _ in order]
    found = {"jackknife": auc_figures(scores, truth, "jackknife", cases)}
    if len(set(cases)) == len(cases):
        found["delong"] = auc_figures(scores, truth, "delong")
    return found


def _keys(contest: Contest, reader: str) -> dict[tuple[str, bool], float]:
    return {(r.case, bool(r.positive)): float(r.score or 0.0) for r in contest.of(reader)}


def _multi_reader(study: Study, figures: Figures, readers: int) -> dict[str, Any]:
    """Return Obuchowski-Rockette analyses for every inference that the number of readers allows."""
    allowed = INFERENCES if readers >= 3 else ("cases",)
    found: dict[str, Any] = {"by_reader": figures.values.tolist()}
    for inference in INFERENCES:
        if inference in allowed:
            analysis = compare(figures, inference, study.alpha)
            found[inference] = _plain(analysis) | {"non_inferiority": _non_inferiority(study, analysis)}
    return found


def _plain(analysis: Analysis) -> dict[str, Any]:
    """Return an analysis as JSON, infinite degrees of freedom as null."""

    def finite(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: finite(item) for key, item in value.items()}
        if isinstance(value, list):
            return [finite(item) for item in value]
        return None if isinstance(value, float) and not np.isfinite(value) else value

    plain: dict[str, Any] = finite(encode(analysis))
    return plain


def _non_inferiority(study: Study, analysis: Analysis) -> list[dict[str, Any]] | None:
    """Test each difference against the margin, one-sided both ways; equivalent where both pass."""
    if study.margin is None:
        return None
    found = []
    for d in analysis.differences:
        above = tail((d.value + study.margin) / d.standard_error, d.df)
        below = tail((study.margin - d.value) / d.standard_error, d.df)
        found.append(
            {
                "one": d.one, "other": d.other, "margin": study.margin, "p_one_not_worse": above,
                "p_other_not_worse": below, "equivalent": max(above, below) < study.alpha,
            }
        )  # fmt: skip
    return found


def _paired(scores: np.ndarray, names: Sequence[str]) -> dict[str, Any]:
    """Return McNemar's test of each two treatments `(t, cases)`, and Cochran's Q of more than two."""
    tests = [
        {"one": names[a], "other": names[b], **encode(mcnemar(scores[a], scores[b]))}
        for a, b in combinations(range(len(names)), 2)
    ]
    return {"mcnemar": tests, "cochran_q": encode(cochran_q(scores.T)) if len(names) > 2 else None}
