"""Null simulations: how often tests reject where there is nothing to find."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_vol2vol.study.statistics.multi_reader import (
    Method,
    auc_figures,
    compare,
    mean_against,
    proportion_figures,
)
from napari_vol2vol.study.statistics.obuchowski_rockette import INFERENCES, Inference

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class RoeMetz:
    """Variances of Roe and Metz' model of ratings (Acad. Radiol. 4 (1997) 298), structure HL.

    ``separation`` is the distance of the means; ``reader`` and ``treatment_reader`` vary the means, ``case``
    and the other three the ratings (they sum to 1).
    """

    separation: float = 1.5
    reader: float = 0.0055
    treatment_reader: float = 0.0055
    case: float = 0.3
    treatment_case: float = 0.3
    reader_case: float = 0.2
    error: float = 0.2


def roe_metz_ratings(
    model: RoeMetz, readers: int, positives: int, negatives: int, rng: np.random.Generator
) -> tuple[Floats, NDArray[np.bool_]]:
    """Return ratings `(2, r, n)` of two equal treatments, and the truth `(n,)`."""
    truth = np.arange(positives + negatives) < positives
    n = truth.size

    def normal(variance: float, *shape: int) -> Floats:
        return rng.normal(0.0, np.sqrt(variance), shape)

    # reader effects are drawn for positives and negatives apart, as in the paper
    by_reader = np.where(truth, normal(model.reader, 1, readers, 1), normal(model.reader, 1, readers, 1))
    both = np.where(
        truth, normal(model.treatment_reader, 2, readers, 1), normal(model.treatment_reader, 2, readers, 1)
    )
    ratings = (
        model.separation * truth + by_reader + both + normal(model.case, 1, 1, n)
        + normal(model.treatment_case, 2, 1, n) + normal(model.reader_case, 1, readers, n)
        + normal(model.error, 2, readers, n)
    )  # fmt: skip
    return ratings, truth


def null_rates_of_auc(
    runs: int, readers: int, positives: int, negatives: int, seed: int, method: Method = "jackknife",
    model: RoeMetz | None = None, alpha: float = 0.05,
) -> dict[Inference, float]:  # fmt: skip
    """Return how often two equal treatments are found to differ, by inference.

    ``readers and cases`` and ``cases`` should keep ``alpha`` where readers are (are not) redrawn; each is
    given data of its own kind: fixed readers have no reader variance.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    random = model or RoeMetz()
    fixed = RoeMetz(random.separation, 0.0, 0.0, random.case, random.treatment_case, random.reader_case,
                    random.error)  # fmt: skip
    rejected: dict[Inference, int] = dict.fromkeys(INFERENCES[:2], 0)
    for _ in range(runs):
        for inference in rejected:
            data = roe_metz_ratings(
                random if inference != "cases" else fixed, readers, positives, negatives, rng
            )
            p = compare(auc_figures(*data, method), inference, alpha).p
            rejected[inference] += p is not None and p < alpha
    return {inference: count / runs for inference, count in rejected.items()}


def correlated_answers(readers: int, cases: int, spread: float, rng: np.random.Generator) -> Floats:
    """Return right (1) and wrong (0) answers `(r, n)` of readers at chance who err on the same cases.

    Each case has its own chance to be answered rightly, from a beta distribution with mean 1/2 and
    correlation ``spread`` between readers: all readers see the same misleading or telling detail.
    """
    shape = (1 / spread - 1) / 2
    chances = rng.beta(shape, shape, size=cases)
    return (rng.random((readers, cases)) < chances).astype(float)


def null_rates_of_proportion(
    runs: int, readers: int, cases: int, seed: int, spread: float = 0.3, alpha: float = 0.05
) -> Mapping[str, float]:
    """Return how often readers at chance are found to differ from it: pooled naively, and by cases."""
    from scipy.stats import binomtest

    rng = np.random.Generator(np.random.PCG64(seed))
    naive = aware = 0
    p_values: dict[int, float] = {}
    for _ in range(runs):
        answers = correlated_answers(readers, cases, spread, rng)
        right = int(answers.sum())
        if right not in p_values:
            p_values[right] = float(binomtest(right, answers.size).pvalue)
        naive += p_values[right] < alpha
        p = mean_against(proportion_figures(answers[None]), 0.5, "cases", alpha)[-1]
        aware += p is not None and p < alpha
    return {"naive": naive / runs, "case-aware": aware / runs}
