"""What may be said of a contest, in one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from napari_vol2vol.study.design import Study


def verdict(study: Study, contest: Mapping[str, Any]) -> str:
    """Return the sentence: the one place that may say *indistinguishable*.

    That word needs a study planned for equivalence, a margin fixed before reading, and a case-aware test over
    all readers that passes at it. A test of chance that does not reject says nothing of the kind.
    """
    pooled = contest["pooled"]
    correct = pooled.get("correct")
    if not correct:
        return "No test of chance: see the area under the ROC curve and d'."
    chosen = pooled["inference"] if pooled["inference"] in correct else "cases"
    tested = correct.get(chosen)
    where = pooled["words"]
    if tested is None or tested["p"] is None:
        sign = correct["sign_test"]
        words = "no test is possible" if sign is None else f"exact sign test over cases p = {sign['p']:.2g}"
        return f"Right in {correct['value']:.0%}; all cases were answered alike, {words}."
    share = f"Right in {tested['value']:.0%} ({tested['low']:.0%} to {tested['high']:.0%})"
    equal = tested.get("equivalence")
    if study.analysis == "equivalence" and equal and equal["equivalent"]:
        return (
            f"{share}: indistinguishable at the margin of ±{100 * equal['margin']:g} points fixed before "
            f"reading (p = {equal['p']:.2g}); {where}."
        )
    if tested["p"] < study.alpha:
        side = "better" if tested["value"] > 0.5 else "worse"
        return f"{share}: {side} than chance (p = {tested['p']:.2g}); {where}."
    unshown = ""
    if equal and not equal["equivalent"]:
        within = f"±{100 * equal['margin']:g} points"
        unshown = f"; equivalence within {within} is not shown (p = {equal['p']:.2g})"
    return (
        f"{share}: a difference from chance is not shown (p = {tested['p']:.2g}){unshown}; "
        f"that is no evidence of its absence; {where}."
    )
