"""Visual grading characteristics: how ordinal grades of one arm lie against those of another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.study.statistics.clustered import Bootstrap, bootstrap_cases

PERMUTATIONS = 4999


@dataclass(frozen=True)
class GradingCharacteristic:
    """Area of the curve (1/2: alike; above: ``other`` is graded higher), its interval and permutation p."""

    area: Bootstrap
    p: float


def grading_area(one: ArrayLike, other: ArrayLike) -> float:
    """Return the area under the VGC curve: P(other > one) + P(equal) / 2 over all grades.

    Båth and Månsson, Br. J. Radiol. 80 (2007) 169.
    """
    a, b = np.asarray(one, float).ravel(), np.asarray(other, float).ravel()
    return float((b[:, None] > a).mean() + 0.5 * (b[:, None] == a).mean())


def visual_grading(one: ArrayLike, other: ArrayLike, seed: int, alpha: float = 0.05) -> GradingCharacteristic:
    """Compare grades `(readers, cases)` of the same cases in two arms; readers are fixed.

    The interval draws cases with all their grades; p swaps the arms of whole cases.

    Raises
    ------
    SettingsError
        If shapes differ or there is one case only.
    """
    a, b = np.atleast_2d(np.asarray(one, float)), np.atleast_2d(np.asarray(other, float))
    if a.shape != b.shape or a.shape[1] < 2:
        raise SettingsError(f"grades: found {a.shape} and {b.shape}, accepted are two arms of the same cases")
    area = bootstrap_cases(lambda i: grading_area(a[:, i], b[:, i]), a.shape[1], seed, alpha)
    return GradingCharacteristic(area, _permutation(a, b, seed + 1))


def grading_curve(one: ArrayLike, other: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the points of the VGC curve: shares of grades at or above each step, in both arms."""
    a, b = np.asarray(one, float).ravel(), np.asarray(other, float).ravel()
    steps = [np.inf, *sorted({*a, *b}, reverse=True)]
    return np.array([(a >= s).mean() for s in steps]), np.array([(b >= s).mean() for s in steps])


def _permutation(a: NDArray[np.float64], b: NDArray[np.float64], seed: int) -> float:
    rng = np.random.Generator(np.random.PCG64(seed))
    found = abs(grading_area(a, b) - 0.5)
    count = 0
    for _ in range(PERMUTATIONS):
        swap = rng.integers(2, size=a.shape[1], dtype=bool)
        count += abs(grading_area(np.where(swap, b, a), np.where(swap, a, b)) - 0.5) >= found - 1e-12
    return (count + 1) / (PERMUTATIONS + 1)
