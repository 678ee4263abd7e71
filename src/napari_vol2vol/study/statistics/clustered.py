"""Uncertainty over cases: all answers to a case are drawn together, or swapped together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_vol2vol.errors import SettingsError

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]
RESAMPLES = 9999


@dataclass(frozen=True)
class Bootstrap:
    """A value with its interval over cases. ``low`` and ``high`` are None where cases do not differ."""

    value: float
    low: float | None
    high: float | None
    cases: int
    method: str


def bootstrap_mean(per_case: ArrayLike, seed: int, alpha: float = 0.05) -> Bootstrap:
    """Return the BCa interval of the mean of one value a case (already averaged over readers).

    Efron, J. Am. Stat. Assoc. 82 (1987) 171, by scipy. Readers are fixed.
    """
    from scipy.stats import bootstrap

    values = np.asarray(per_case, float)
    if values.size < 2:
        raise SettingsError(f"cases: found {values.size}, accepted are two or more")
    value = float(values.mean())
    if np.ptp(values) == 0:
        return Bootstrap(value, None, None, values.size, "none: cases do not differ")
    found = bootstrap(
        (values,), np.mean, n_resamples=RESAMPLES, confidence_level=1 - alpha, method="BCa",
        rng=np.random.Generator(np.random.PCG64(seed)),
    ).confidence_interval  # fmt: skip
    return Bootstrap(value, float(found.low), float(found.high), values.size, "BCa")


def bootstrap_cases(
    statistic: Callable[[Indices], float | None],
    cases: int,
    seed: int,
    alpha: float = 0.05,
    resamples: int = 2000,
) -> Bootstrap:
    """Return the percentile interval of any statistic of the cases drawn (indices `(cases,)`, with repeats).

    Draws in which the statistic is None (a class without a case) are drawn again, at most as often again.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    whole = statistic(np.arange(cases))
    if whole is None:
        raise SettingsError("bootstrap: the statistic is not defined on all cases together")
    found: list[float] = []
    for _ in range(2 * resamples):
        value = statistic(rng.integers(cases, size=cases))
        if value is not None:
            found.append(value)
        if len(found) == resamples:
            break
    if len(found) < resamples or np.ptp(found) == 0:
        return Bootstrap(float(whole), None, None, cases, "none: too few different cases")
    low, high = np.quantile(found, [alpha / 2, 1 - alpha / 2])
    return Bootstrap(float(whole), float(low), float(high), cases, "percentile")
