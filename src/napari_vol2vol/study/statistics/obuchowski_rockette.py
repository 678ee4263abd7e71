"""Multi-reader multi-case analysis: Obuchowski and Rockette's model with Hillis' degrees of freedom.

Obuchowski and Rockette, Commun. Stat. Simul. 24 (1995) 285; Hillis et al., Stat. Med. 24 (2005) 1579; Hillis,
Stat. Med. 26 (2007) 596 (ddf_H); Hillis, Stat. Med. 33 (2014) 330. Any figure of merit will do, given one for
every treatment and reader with the covariance of their errors.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_vol2vol.errors import SettingsError

Floats = NDArray[np.float64]
Inference = Literal["readers and cases", "cases", "readers"]
INFERENCES: tuple[Inference, ...] = ("readers and cases", "cases", "readers")


@dataclass(frozen=True)
class Components:
    """Mean squares of the treatment x reader ANOVA, and the error variance and covariances.

    ``cov1``: same reader, other treatment; ``cov2``: other reader, same treatment; ``cov3``: both other.
    ``var_reader`` and ``var_interaction`` are ANOVA estimates, which can be negative.
    """

    ms_treatment: float
    ms_reader: float
    ms_interaction: float
    variance: float
    cov1: float
    cov2: float
    cov3: float
    var_reader: float
    var_interaction: float


@dataclass(frozen=True)
class Mean:
    """A mean over readers with its interval; ``df`` is infinite where the normal distribution is used."""

    value: float
    standard_error: float
    df: float
    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """One treatment minus another, with interval and test of no difference."""

    one: int
    other: int
    value: float
    standard_error: float
    df: float
    statistic: float
    p: float
    low: float
    high: float


@dataclass(frozen=True)
class Analysis:
    """Results that hold for the population(s) named by ``inference``.

    ``statistic`` is F with ``df1`` and ``df2`` degrees of freedom, or chi squared with ``df1`` (``df2`` is
    infinite then). ``components`` is None for a single treatment.
    """

    inference: Inference
    components: Components | None
    statistic: float | None
    df1: float
    df2: float
    p: float | None
    means: tuple[Mean, ...]
    differences: tuple[Difference, ...]


def obuchowski_rockette(
    figures: ArrayLike,
    covariance: ArrayLike,
    inference: Inference = "readers and cases",
    alpha: float = 0.05,
) -> Analysis:
    """Compare treatments by a figure of merit.

    Parameters
    ----------
    figures : array (t, r)
        Figure of merit of each treatment and reader.
    covariance : array (t, r, t, r)
        Covariance of their errors over cases (jackknife or DeLong).
    inference : str
        What is taken as a sample: ``readers and cases``, ``cases`` (readers fixed) or ``readers`` (cases
        fixed).

    Raises
    ------
    SettingsError
        If shapes do not fit, or readers are taken as a sample of fewer than two.
    """
    theta, cov = np.asarray(figures, float), np.asarray(covariance, float)
    _check(theta, cov, inference)
    single = [_mean(theta[i], cov[i, :, i], inference, alpha) for i in range(len(theta))]
    if len(theta) == 1:
        return Analysis(inference, None, None, 0, np.inf, None, tuple(single), ())
    parts = components(theta, cov)
    return _compare(theta, parts, inference, alpha, tuple(single))


def components(theta: Floats, cov: Floats) -> Components:
    """Return mean squares and averaged covariances of figures `(t, r)` with errors `(t, r, t, r)`."""
    t, r = theta.shape
    grand, by_t, by_r = theta.mean(), theta.mean(1), theta.mean(0)
    ms_t = float(r * ((by_t - grand) ** 2).sum() / (t - 1))
    residual = theta - by_t[:, None] - by_r[None] + grand
    ms_r = float(t * ((by_r - grand) ** 2).sum() / (r - 1)) if r > 1 else 0.0
    ms_tr = float((residual**2).sum() / ((t - 1) * (r - 1))) if r > 1 else 0.0
    var, cov1, cov2, cov3 = _averages(cov)
    var_tr = ms_tr - var + cov1 + cov2 - cov3
    var_r = (ms_r - ms_tr) / t - cov1 + cov3
    return Components(ms_t, ms_r, ms_tr, var, cov1, cov2, cov3, var_r, var_tr)


def _check(theta: Floats, cov: Floats, inference: str) -> None:
    if theta.ndim != 2 or cov.shape != theta.shape * 2:
        raise SettingsError(
            f"figures: found shapes {theta.shape} and {cov.shape}, accepted are (t, r) and (t, r, t, r)"
        )
    if inference not in INFERENCES:
        raise SettingsError(f"inference: found {inference!r}, accepted are {', '.join(INFERENCES)}")
    if inference != "cases" and theta.shape[1] < 2:
        raise SettingsError("inference: found one reader, accepted is inference to cases only")


def _averages(cov: Floats) -> tuple[float, float, float, float]:
    """Return Var, Cov1, Cov2, Cov3: means over equal or other treatment (t) and reader (r)."""
    t, r = cov.shape[:2]
    same_t, same_r = np.eye(t, dtype=bool)[:, None, :, None], np.eye(r, dtype=bool)[None, :, None, :]
    masks = (same_t & same_r, ~same_t & same_r, same_t & ~same_r, ~same_t & ~same_r)
    found = [cov[np.broadcast_to(mask, cov.shape)] for mask in masks]
    var, cov1, cov2, cov3 = (float(values.mean()) if values.size else 0.0 for values in found)
    return var, cov1, cov2, cov3


def _mean(theta: Floats, cov: Floats, inference: Inference, alpha: float) -> Mean:
    """Return the interval of one treatment from figures `(r,)` and errors `(r, r)` of that treatment only."""
    r = len(theta)
    ms_r = float(theta.var(ddof=1)) if r > 1 else 0.0
    variance = float(np.diag(cov).mean())
    cov2 = max(float(cov[~np.eye(r, dtype=bool)].mean()), 0.0) if r > 1 else 0.0
    if inference == "cases":
        square, df = variance + (r - 1) * cov2, np.inf
    elif inference == "readers":
        square, df = ms_r, float(r - 1)
    else:
        square = ms_r + r * cov2
        df = _hillis(square, ms_r, r - 1)
    error = float(np.sqrt(max(square, 0.0) / r))
    half = quantile(alpha / 2, df) * error
    value = float(theta.mean())
    return Mean(value, error, df, value - half, value + half)


def _compare(
    theta: Floats, parts: Components, inference: Inference, alpha: float, means: tuple[Mean, ...]
) -> Analysis:
    from scipy.stats import chi2
    from scipy.stats import f as f_distribution

    t, r = theta.shape
    spread = max(parts.cov2 - parts.cov3, 0.0)
    freedom = float((t - 1) * (r - 1))
    if inference == "cases":
        square, df = parts.variance - parts.cov1 + (r - 1) * spread, np.inf
    elif inference == "readers":
        square, df = parts.ms_interaction, freedom
    else:
        square = parts.ms_interaction + r * spread
        df = _hillis(square, parts.ms_interaction, freedom)
    if square <= 0:
        return Analysis(inference, parts, None, t - 1, df, None, means, ())
    ratio = parts.ms_treatment / square
    if inference == "cases":
        statistic = (t - 1) * ratio
        p = float(chi2.sf(statistic, t - 1))
    else:
        statistic, p = ratio, float(f_distribution.sf(ratio, t - 1, df))
    error = float(np.sqrt(2 * square / r))
    differences = tuple(_difference(theta, i, j, error, df, alpha) for i, j in combinations(range(t), 2))
    return Analysis(inference, parts, statistic, t - 1, df, p, means, differences)


def _difference(theta: Floats, one: int, other: int, error: float, df: float, alpha: float) -> Difference:
    value = float(theta[one].mean() - theta[other].mean())
    statistic = value / error
    half = quantile(alpha / 2, df) * error
    return Difference(
        one, other, value, error, df, statistic, tail(abs(statistic), df) * 2, value - half, value + half
    )


def tail(statistic: float, df: float) -> float:
    """Return the upper tail of t with ``df`` degrees of freedom; of the normal where they are infinite."""
    from scipy.stats import norm, t

    return float(norm.sf(statistic) if np.isinf(df) else t.sf(statistic, df))


def quantile(upper: float, df: float) -> float:
    """Return the value that ``tail`` turns into ``upper``."""
    from scipy.stats import norm, t

    return float(norm.isf(upper) if np.isinf(df) else t.isf(upper, df))


def _hillis(square: float, reader_square: float, freedom: float) -> float:
    """Return ddf_H: (MS + r max(cov, 0))^2 / (MS^2 / df); infinite where readers do not differ at all."""
    return square**2 / (reader_square**2 / freedom) if reader_square > 0 else np.inf
