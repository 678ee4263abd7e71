"""Reporting items: filled in where the study knows them, listed where they are missing.

STARD 2015: Bossuyt et al., BMJ 351 (2015) h5527. CLAIM: Mongan, Moy and Kahn, Radiol. Artif. Intell. 2 (2020)
e200029. Items are named in short; the papers hold their wording.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

STARD: dict[str, str] = {
    "1": "identified as a study of accuracy", "2": "structured summary", "3": "background, intended use",
    "4": "objectives and hypotheses", "5": "prospective or retrospective", "6": "eligibility criteria",
    "7": "how cases were identified", "8": "where and when", "9": "consecutive, random or convenience series",
    "10a": "index test", "10b": "reference standard", "11": "rationale of the reference standard",
    "12a": "cut-offs of the index test", "12b": "cut-offs of the reference standard",
    "13a": "what the readers knew", "13b": "what assessors of the reference knew",
    "14": "methods of analysis",
    "15": "indeterminate results", "16": "missing data", "17": "variability of accuracy", "18": "sample size",
    "19": "flow of cases", "20": "characteristics of cases", "21a": "severity of disease",
    "21b": "other diagnoses", "22": "interval between tests", "23": "cross tabulation",
    "24": "estimates with their precision", "25": "adverse events", "26": "limitations", "27": "implications",
    "28": "registration", "29": "where the protocol is", "30": "funding",
}  # fmt: skip
CLAIM: dict[str, str] = {
    "1": "identified as AI", "2": "structured summary", "3": "background", "4": "objectives and hypotheses",
    "5": "prospective or retrospective", "6": "goal of the study", "7": "data sources", "8": "eligibility",
    "9": "preprocessing", "10": "selection of subsets", "11": "definitions of data elements",
    "12": "de-identification", "13": "missing data", "14": "definition of the ground truth",
    "15": "rationale of the ground truth", "16": "annotators", "17": "annotation tools",
    "18": "variability of readers", "19": "sample size", "20": "partitions", "21": "level of partitions",
    "22": "model", "23": "software", "24": "initialisation", "25": "training",
    "26": "choice of the final model",
    "27": "ensembles", "28": "metrics", "29": "statistical measures", "30": "robustness",
    "31": "explainability",
    "32": "external data", "33": "flow of cases", "34": "characteristics of cases", "35": "performance",
    "36": "estimates with their precision", "37": "failures", "38": "limitations", "39": "implications",
    "40": "registration", "41": "where the protocol is", "42": "funding",
}  # fmt: skip


@dataclass(frozen=True)
class ChecklistItem:
    """One item; ``text`` is None where it is missing."""

    checklist: str
    number: str
    name: str
    text: str | None


def checklist(results: Mapping[str, Any]) -> list[ChecklistItem]:
    """Return all items of both lists; the study's ``protocol`` (as ``"STARD 5": "..."``) goes before ours."""
    known = _known(results) | dict(results["design"]["protocol"])
    return [
        ChecklistItem(name, number, words, known.get(f"{name} {number}"))
        for name, items in (("STARD", STARD), ("CLAIM", CLAIM))
        for number, words in items.items()
    ]


def _known(results: Mapping[str, Any]) -> dict[str, str]:
    design, lock = results["design"], results["lock"]
    dates = sorted(day for days in results["sittings"].values() for day in days)
    readers = "; ".join(
        f"{r['name']}" + (f" ({r['experience']})" if r["experience"] else "") for r in design["readers"]
    )
    questions = "; ".join(q["text"] for q in design["questions"])
    blinded = (
        "readers saw blinded copies under codes on a common grid, in one dtype and header; the key was "
        "opened after the lock only"
    )
    missing = (
        f"not finished: {', '.join(lock['incomplete'])}" if lock["incomplete"] else "no answer is missing"
    )
    method = (
        "exact binomial by reader; over readers by cases (t on case means, BCa bootstrap) and, with three "
        "readers or more, Obuchowski-Rockette with Hillis' degrees of freedom"
    )
    plan = f"planned for {results['analysis']}, alpha {results['alpha']:g}"
    plan += f", margin {results['margin']:g} fixed before reading" if results["margin"] is not None else ""
    estimates = "see the tables of this report"
    packages = ", ".join(f"{name} {version}" for name, version in results["packages"].items())
    return {
        "STARD 8": f"read from {dates[0]} to {dates[-1]}" if dates else "not read",
        "STARD 10a": f"answers of {len(design['readers'])} readers to: {questions}",
        "STARD 10b": "the arm (or finding) of each volume, from the answer key",
        "STARD 13a": blinded, "STARD 14": method, "STARD 16": missing, "STARD 18": plan,
        "STARD 17": "agreement within and between readers is given", "STARD 24": estimates,
        "CLAIM 9": "volumes made alike by the study's harmonisation before reading",
        "CLAIM 13": missing, "CLAIM 14": "the arm (or finding) of each volume", "CLAIM 16": readers,
        "CLAIM 17": "napari-vol2vol reading room", "CLAIM 18": "kappa, alpha and AC1 are given",
        "CLAIM 19": plan, "CLAIM 23": packages, "CLAIM 28": "proportion correct, d', area under the ROC",
        "CLAIM 29": method, "CLAIM 35": estimates, "CLAIM 36": estimates,
    }  # fmt: skip
