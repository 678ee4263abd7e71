"""Questions without a right answer: visual grading, rankings, texts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np

from napari_vol2vol.study.design import Study
from napari_vol2vol.study.json_fields import encode
from napari_vol2vol.study.readings import Reading
from napari_vol2vol.study.statistics.grading import visual_grading
from napari_vol2vol.study.statistics.ranking import bradley_terry


def grading_results(study: Study, readings: Sequence[Reading]) -> list[dict[str, Any]]:
    """Compare the grades of each two arms by criterion, on cases that all readers graded in both."""
    found = []
    for question in (q for q in study.questions if q.kind == "grading"):
        own = [r for r in readings if r.question == question.name and r.role == "test" and len(r.arms) == 1]
        for criterion in question.criteria:
            for one, other in combinations(dict.fromkeys(r.arms[0] for r in own), 2):
                grades = _grades(own, criterion, (one, other))
                if grades is None:
                    continue
                result = visual_grading(grades[0], grades[1], study.seed, study.alpha)
                found.append(
                    {
                        "question": question.name, "criterion": criterion, "one": one, "other": other,
                        "readers": grades.shape[1], "cases": grades.shape[2],
                        "means": grades.mean(axis=(1, 2)).tolist(), **encode(result),
                    }
                )  # fmt: skip
    return found


def ranking_results(study: Study, readings: Sequence[Reading]) -> list[dict[str, Any]]:
    """Return Bradley-Terry strengths of the arms of each ranking question, over all readers."""
    found = []
    for question in (q for q in study.questions if q.kind == "ranking"):
        own = [r for r in readings if r.question == question.name and r.role == "test" and r.value]
        if own:
            rankings = [(r.case, [r.arms[place] for place in r.value]) for r in own]
            strengths = bradley_terry(rankings, study.seed, study.alpha)
            found.append({"question": question.name, "rankings": len(own), "strengths": encode(strengths)})
    return found


def text_results(study: Study, readings: Sequence[Reading]) -> list[dict[str, Any]]:
    """Return all texts with what they were written about."""
    texts = {q.name for q in study.questions if q.kind == "text"}
    return [
        {"question": r.question, "reader": r.reader, "case": r.case, "arms": list(r.arms), "text": r.value}
        for r in readings
        if r.question in texts and r.value
    ]


def _grades(
    own: Sequence[Reading], criterion: str, arms: tuple[str, str]
) -> np.ndarray[Any, np.dtype[np.float64]] | None:
    """Return grades `(2, readers, cases)` of what every reader graded in both arms; None below two cases."""
    values = {(r.arms[0], r.reader, r.case): r.value[criterion] for r in own if r.value is not None}
    readers = sorted({r.reader for r in own})
    cases = [
        case
        for case in sorted({r.case for r in own})
        if all((arm, reader, case) in values for arm in arms for reader in readers)
    ]
    if len(cases) < 2:
        return None
    return np.array([[[values[arm, r, c] for c in cases] for r in readers] for arm in arms], float)
