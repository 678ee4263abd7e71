"""Agreement between readers, and of a reader with himself. Libraries where they have it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_vol2vol.errors import SettingsError

Floats = NDArray[np.float64]
Label = Hashable | None


@dataclass(frozen=True)
class Kappa:
    """Cohen's kappa with its interval; ``agreement`` is the share of equal answers."""

    value: float
    low: float
    high: float
    agreement: float
    n: int


def cohen_kappa(one: Sequence[Hashable], other: Sequence[Hashable], alpha: float = 0.05) -> Kappa | None:
    """Return Cohen's kappa (Educ. Psychol. Meas. 20 (1960) 37) of two lists of answers, by statsmodels.

    None where both gave one and the same answer throughout: kappa is not defined then.
    """
    from scipy.stats import norm
    from statsmodels.stats.inter_rater import cohens_kappa

    _check_lengths([one, other])
    table = _table(one, other)
    if len(table) < 2:
        return None
    with np.errstate(divide="ignore", invalid="ignore"):  # z of no variance, which is not used
        found = cohens_kappa(table)
    value, half = float(found.kappa), float(norm.isf(alpha / 2) * found.std_kappa)
    return Kappa(value, value - half, value + half, float(np.trace(table) / table.sum()), len(one))


def fleiss_kappa(answers: Sequence[Sequence[Hashable]]) -> float | None:
    """Return Fleiss' kappa (Psychol. Bull. 76 (1971) 378) of answers `(readers, cases)`, by statsmodels.

    None where all answers are the same.
    """
    from statsmodels.stats import inter_rater

    _check_lengths(answers)
    counts = _counts(answers)
    return None if counts.shape[1] < 2 else float(inter_rater.fleiss_kappa(counts))


def krippendorff_alpha(answers: Sequence[Sequence[Label]], level: str = "nominal") -> float | None:
    """Return Krippendorff's alpha of answers `(readers, cases)`, None where missing, by nltk.

    ``level`` is ``nominal`` or ``interval`` (numbers). Krippendorff, Content Analysis (2004). None where all
    answers are the same, or nobody answered the same case twice.
    """
    from nltk.metrics.agreement import AnnotationTask
    from nltk.metrics.distance import binary_distance, interval_distance

    distances = {"nominal": binary_distance, "interval": interval_distance}
    if level not in distances:
        raise SettingsError(f"level: found {level!r}, accepted are nominal and interval")
    _check_lengths(answers)
    given: dict[int, list[tuple[str, str, Hashable]]] = {}
    for reader, row in enumerate(answers):
        for case, answer in enumerate(row):
            if answer is not None:
                given.setdefault(case, []).append((str(reader), str(case), answer))
    triples = [triple for case in given.values() if len(case) > 1 for triple in case]
    if len({answer for *_, answer in triples}) < 2:
        return None
    return float(AnnotationTask(triples, distance=distances[level]).alpha())


def gwet_ac1(answers: Sequence[Sequence[Hashable]]) -> float | None:
    """Return Gwet's AC1 (Br. J. Math. Stat. Psychol. 61 (2008) 29) of answers `(readers, cases)`.

    It stays near the agreement where nearly all answers are the same, where kappa falls to 0. None with one
    category only.
    """
    _check_lengths(answers)
    counts = _counts(answers)
    readers, categories = int(counts[0].sum()), counts.shape[1]
    if categories < 2:
        return None
    agreed = float((counts * (counts - 1)).sum(1).mean() / (readers * (readers - 1)))
    shares = counts.mean(0) / readers
    expected = float((shares * (1 - shares)).sum() / (categories - 1))
    return (agreed - expected) / (1 - expected)


@dataclass(frozen=True)
class Icc:
    """One intraclass correlation: ``form`` as Shrout and Fleiss name it, value and interval."""

    form: str
    value: float
    low: float
    high: float


def intraclass_correlations(ratings: ArrayLike, alpha: float = 0.05) -> dict[str, Icc]:
    """Return the six intraclass correlations of ``ratings`` `(cases, readers)`.

    Shrout and Fleiss, Psychol. Bull. 86 (1979) 420, intervals by McGraw and Wong, Psychol. Methods 1 (1996)
    30.

    Raises
    ------
    SettingsError
        With fewer than two cases or readers, or where the cases do not differ.
    """
    table = np.asarray(ratings, float)
    if table.ndim != 2 or min(table.shape) < 2 or not np.isfinite(table).all():
        raise SettingsError(f"ratings: found {table.shape}, accepted are 2 cases and 2 readers or more")
    n, k = table.shape
    between = k * table.mean(1).var(ddof=1)
    readers = n * table.mean(0).var(ddof=1)
    total = table.var() * n * k
    residual = (total - between * (n - 1) - readers * (k - 1)) / ((n - 1) * (k - 1))
    within = (total - between * (n - 1)) / (n * (k - 1))
    if residual <= 0 or between <= 0:
        raise SettingsError("ratings: found no variation to compare, accepted are ratings that differ")
    one = (between - within) / (between + (k - 1) * within)
    two = (between - residual) / (between + (k - 1) * residual + k * (readers - residual) / n)
    three = (between - residual) / (between + (k - 1) * residual)
    ends = {
        "ICC(1,1)": (one, *_f_ends(between / within, n - 1, n * (k - 1), k, alpha)),
        "ICC(2,1)": (two, *_two_way_ends(between, readers, residual, two, n, k, alpha)),
        "ICC(3,1)": (three, *_f_ends(between / residual, n - 1, (n - 1) * (k - 1), k, alpha)),
    }
    single = {form: Icc(form, *map(float, values)) for form, values in ends.items()}
    averaged = {
        form.replace(",1", ",k"): Icc(
            form.replace(",1", ",k"), *(_stepped_up(v, k) for v in (icc.value, icc.low, icc.high))
        )
        for form, icc in single.items()
    }
    return single | averaged


def _stepped_up(value: float, k: int) -> float:
    """Return the Spearman-Brown correlation of a mean of ``k`` readers."""
    return k * value / (1 + (k - 1) * value)


def _f_ends(ratio: float, df1: int, df2: int, k: int, alpha: float) -> tuple[float, float]:
    from scipy.stats import f

    low = ratio / f.isf(alpha / 2, df1, df2)
    high = ratio * f.isf(alpha / 2, df2, df1)
    return (low - 1) / (low + k - 1), (high - 1) / (high + k - 1)


def _two_way_ends(
    between: float, readers: float, residual: float, value: float, n: int, k: int, alpha: float
) -> tuple[float, float]:
    from scipy.stats import f

    ratio = readers / residual
    top = (k - 1) * (n - 1) * (k * value * ratio + n * (1 + (k - 1) * value) - k * value) ** 2
    bottom = (n - 1) * k**2 * value**2 * ratio**2 + (n * (1 + (k - 1) * value) - k * value) ** 2
    df = top / bottom
    upper, lower = f.isf(alpha / 2, n - 1, df), f.isf(alpha / 2, df, n - 1)
    mixed = k * readers + (k * n - k - n) * residual
    low = n * (between - upper * residual) / (upper * mixed + n * between)
    high = n * (lower * between - residual) / (mixed + n * lower * between)
    return float(low), float(high)


def _check_lengths(answers: Sequence[Sequence[object]]) -> None:
    lengths = {len(row) for row in answers}
    if len(answers) < 2 or len(lengths) != 1 or 0 in lengths:
        raise SettingsError(
            f"answers: found {len(answers)} readers with {sorted(lengths)} cases, accepted are two "
            "readers or more with the same cases"
        )


def _table(one: Sequence[Hashable], other: Sequence[Hashable]) -> Floats:
    labels = sorted({*one, *other}, key=str)
    table = np.zeros((len(labels), len(labels)))
    for a, b in zip(one, other, strict=True):
        table[labels.index(a), labels.index(b)] += 1
    return table


def _counts(answers: Sequence[Sequence[Hashable]]) -> Floats:
    """Return how often each case `(cases,)` got each label `(labels,)`."""
    labels = sorted({answer for row in answers for answer in row}, key=str)
    columns = zip(*answers, strict=True)
    return np.array([[sum(a == label for a in case) for label in labels] for case in columns], float)
