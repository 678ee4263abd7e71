"""One proportion: exact interval and test, equivalence and non-inferiority against chance."""

from __future__ import annotations

from dataclasses import dataclass

from napari_vol2vol.errors import SettingsError


@dataclass(frozen=True)
class Proportion:
    """``k`` of ``n``, its exact interval at ``1 - alpha`` and exact two-sided p against ``chance``."""

    k: int
    n: int
    value: float
    low: float
    high: float
    p: float
    chance: float


@dataclass(frozen=True)
class Equivalence:
    """Two one-sided tests: equivalent where both ``p`` are below alpha, that is where ``p`` is.

    ``low`` and ``high`` are the interval at ``1 - 2 alpha``, which lies within the margin (to the exactness
    of its construction) where the test passes.
    """

    margin: float
    p_lower: float
    p_upper: float
    low: float
    high: float
    alpha: float

    @property
    def p(self) -> float:
        """The larger of the two p values."""
        return max(self.p_lower, self.p_upper)

    @property
    def equivalent(self) -> bool:
        """Whether the test passes."""
        return self.p < self.alpha

    @property
    def not_better_than_chance(self) -> bool:
        """Whether readers are shown to lie below chance + margin: the one-sided (non-inferiority) half."""
        return self.p_upper < self.alpha


def exact_proportion(k: int, n: int, chance: float = 0.5, alpha: float = 0.05) -> Proportion:
    """Return the Clopper-Pearson interval and the exact binomial test of ``k`` of ``n`` successes.

    Clopper and Pearson, Biometrika 26 (1934) 404; the p value sums all outcomes that are no likelier.

    Raises
    ------
    SettingsError
        If ``k`` is not between 0 and ``n``, or ``n`` is 0.
    """
    from scipy.stats import binomtest

    if not 0 <= k <= n or n == 0:
        raise SettingsError(f"proportion: found {k} of {n}, accepted are 0 to n of 1 or more")
    test = binomtest(k, n, chance)
    interval = test.proportion_ci(1 - alpha, "exact")
    return Proportion(k, n, k / n, float(interval.low), float(interval.high), float(test.pvalue), chance)


def exact_equivalence(k: int, n: int, margin: float, chance: float = 0.5, alpha: float = 0.05) -> Equivalence:
    """Return two one-sided exact binomial tests of ``chance - margin < p < chance + margin``.

    Schuirmann, J. Pharmacokinet. Biopharm. 15 (1987) 657, with binomial tails.

    Raises
    ------
    SettingsError
        If the margin reaches 0 or 1.
    """
    from scipy.stats import binom

    check_margin(margin, chance)
    interval = exact_proportion(k, n, chance, 2 * alpha)
    return Equivalence(
        margin, float(binom.sf(k - 1, n, chance - margin)), float(binom.cdf(k, n, chance + margin)),
        interval.low, interval.high, alpha,
    )  # fmt: skip


def check_margin(margin: float, chance: float) -> None:
    """Raise `SettingsError` where ``chance`` ± ``margin`` is no proportion."""
    if not 0 < margin < min(chance, 1 - chance):
        raise SettingsError(
            f"margin: found {margin:g}, accepted are proportions between 0 and {min(chance, 1 - chance):g}"
        )
