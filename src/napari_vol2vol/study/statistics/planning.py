"""How many trials a study needs, and what it can show with those it has. Exact binomial throughout."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.study.statistics.proportions import check_margin

LARGEST = 20_000


@dataclass(frozen=True)
class Superiority:
    """Two-sided test of chance: ``rejects_from`` correct answers on (and ``rejects_to`` down) it rejects.

    None where no number of right answers rejects. ``power`` is the chance to reject where readers are truly
    right in ``true`` of all trials.
    """

    n: int
    chance: float
    alpha: float
    true: float
    rejects_from: int | None
    rejects_to: int | None
    power: float


@dataclass(frozen=True)
class EquivalencePlan:
    """Two one-sided tests: passes with ``passes_from`` to ``passes_to`` right answers; power at chance."""

    n: int
    chance: float
    margin: float
    alpha: float
    passes_from: int | None
    passes_to: int | None
    power: float


def superiority_power(n: int, true: float, chance: float = 0.5, alpha: float = 0.05) -> Superiority:
    """Return what the exact two-sided test of ``n`` trials can show."""
    from scipy.stats import binom

    _check(n, alpha)
    counts = np.arange(n + 1)
    chances = binom.pmf(counts, n, chance)
    # the test of scipy.stats.binomtest: outcomes that are no likelier than the one found
    order = np.sort(chances)
    cumulated = np.concatenate([[0.0], np.cumsum(order)])
    p = cumulated[np.searchsorted(order, chances * (1 + 1e-7), side="right")]
    rejected = counts[p < alpha]
    above, below = rejected[rejected > n * chance], rejected[rejected < n * chance]
    return Superiority(
        n, chance, alpha, true, int(above.min()) if above.size else None,
        int(below.max()) if below.size else None, float(binom.pmf(rejected, n, true).sum()),
    )  # fmt: skip


def equivalence_power(
    n: int, margin: float, chance: float = 0.5, alpha: float = 0.05, true: float | None = None
) -> EquivalencePlan:
    """Return when the exact two one-sided tests of ``n`` trials pass; power at ``true`` (chance)."""
    from scipy.stats import binom

    _check(n, alpha)
    check_margin(margin, chance)
    counts = np.arange(n + 1)
    lower = binom.sf(counts - 1, n, chance - margin) < alpha
    upper = binom.cdf(counts, n, chance + margin) < alpha
    passing = counts[lower & upper]
    power = float(binom.pmf(passing, n, chance if true is None else true).sum())
    first, last = (int(passing.min()), int(passing.max())) if passing.size else (None, None)
    return EquivalencePlan(n, chance, margin, alpha, first, last, power)


def superiority_size(true: float, power: float = 0.8, chance: float = 0.5, alpha: float = 0.05) -> int:
    """Return the fewest trials whose exact test has the power; `SettingsError` where 20,000 do not do."""
    if true == chance:
        raise SettingsError(f"true: found {true:g}, accepted is anything but chance")
    return _fewest(lambda n: superiority_power(n, true, chance, alpha).power, power)


def equivalence_size(margin: float, power: float = 0.8, chance: float = 0.5, alpha: float = 0.05) -> int:
    """Return the fewest trials whose two one-sided tests have the power where readers are at chance."""
    check_margin(margin, chance)
    return _fewest(lambda n: equivalence_power(n, margin, chance, alpha).power, power)


def _fewest(power_of: object, wanted: float) -> int:
    assert callable(power_of)
    if not 0 < wanted < 1:
        raise SettingsError(f"power: found {wanted:g}, accepted are numbers between 0 and 1")
    # exact power is a saw: the first n that reaches it is near, but not at, the smooth curve's
    for n in range(2, LARGEST + 1):
        if power_of(n) >= wanted:
            return n
    raise SettingsError(f"power: {LARGEST} trials do not reach {wanted:g}; accepted is a larger difference")


def _check(n: int, alpha: float) -> None:
    if n < 1 or not 0 < alpha < 0.5:
        raise SettingsError(f"n, alpha: found {n} and {alpha:g}, accepted are 1 or more, and 0 to 0.5")
