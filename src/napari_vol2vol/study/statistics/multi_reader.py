"""Figures of merit of many readers on the same cases, with their covariances: what the model is fed with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.study.statistics.obuchowski_rockette import (
    Analysis,
    Inference,
    obuchowski_rockette,
    quantile,
    tail,
)
from napari_vol2vol.study.statistics.proportions import Equivalence
from napari_vol2vol.study.statistics.roc import (
    auc,
    delong_covariance,
    jackknife_covariance,
    left_out_auc,
)

Floats = NDArray[np.float64]
Method = Literal["jackknife", "delong"]


@dataclass(frozen=True)
class Figures:
    """Figures `(t, r)` and the covariance `(t, r, t, r)` of their errors over ``cases`` independent cases."""

    values: Floats
    covariance: Floats
    cases: int
    method: str


def auc_figures(
    ratings: ArrayLike,
    truth: ArrayLike,
    method: Method = "jackknife",
    clusters: Sequence[object] | None = None,
) -> Figures:
    """Return the areas of ``ratings`` `(t, r, n)` with ``truth`` `(n,)`.

    Raises
    ------
    SettingsError
        If DeLong's method is asked for where cases form ``clusters``: it takes cases as independent.
    """
    values = np.asarray(ratings, float)
    t, r, n = values.shape
    names = list(range(n)) if clusters is None else list(clusters)
    count = len(set(names))
    if method == "delong":
        if count < n:
            raise SettingsError(
                "covariance: found cases with several volumes, DeLong's method accepts independent volumes "
                "only; use the jackknife"
            )
        covariance = delong_covariance(values.reshape(t * r, n), truth)
    else:
        left_out = left_out_auc(values.reshape(t * r, n), truth, names)
        covariance = jackknife_covariance(left_out)
    return Figures(auc(values, truth), covariance.reshape(t, r, t, r), count, method)


def proportion_figures(scores: ArrayLike, clusters: Sequence[object] | None = None) -> Figures:
    """Return the means of ``scores`` `(t, r, n)` (0 or 1) and their jackknife covariance over cases."""
    values = np.asarray(scores, float)
    t, r, n = values.shape
    flat = values.reshape(t * r, n)
    names = np.unique(range(n) if clusters is None else list(map(str, clusters)), return_inverse=True)[1]
    member = np.eye(int(names.max()) + 1)[names]
    if member.shape[1] < 2:
        raise SettingsError("cases: found one, accepted are two or more")
    left_out = ((flat.sum(1)[:, None] - flat @ member) / (n - member.sum(0))).T
    covariance = jackknife_covariance(left_out).reshape(t, r, t, r)
    return Figures(values.mean(-1), covariance, member.shape[1], "jackknife")


def compare(figures: Figures, inference: Inference, alpha: float = 0.05) -> Analysis:
    """Return `obuchowski_rockette` of the figures."""
    return obuchowski_rockette(figures.values, figures.covariance, inference, alpha)


def usual_inference(readers: int) -> Inference:
    """Return what may be concluded of: with fewer than three readers, cases only."""
    return "readers and cases" if readers >= 3 else "cases"


def mean_error(figures: Figures, inference: Inference) -> tuple[float, float, float]:
    """Return the mean of one treatment over readers, its standard error and degrees of freedom.

    With fixed readers the error is that of the mean over cases, with t of (cases - 1) degrees of freedom.
    Where readers are a sample too, their variance can only add to it: where readers happen to agree so well
    that Hillis' error is smaller, that of fixed readers is taken.
    """
    fixed = obuchowski_rockette(figures.values, figures.covariance, "cases").means[0]
    of_cases = (fixed.value, fixed.standard_error, float(figures.cases - 1))
    if inference == "cases":
        return of_cases
    mean = obuchowski_rockette(figures.values, figures.covariance, inference).means[0]
    if inference == "readers and cases" and mean.standard_error < fixed.standard_error:
        return of_cases
    return mean.value, mean.standard_error, mean.df


def mean_equivalence(
    figures: Figures, margin: float, chance: float, inference: Inference, alpha: float = 0.05
) -> Equivalence | None:
    """Return two one-sided tests of the mean of one treatment against ``chance`` ± ``margin``.

    None where no case and no reader differs from another, so that no error can be estimated.
    """
    value, error, df = mean_error(figures, inference)
    if error == 0:
        return None
    half = quantile(alpha, df) * error
    return Equivalence(
        margin, tail((value - (chance - margin)) / error, df), tail((chance + margin - value) / error, df),
        value - half, value + half, alpha,
    )  # fmt: skip


def mean_against(
    figures: Figures, chance: float, inference: Inference, alpha: float = 0.05
) -> tuple[float, float, float, float, float | None]:
    """Return mean, low, high, df and two-sided p against ``chance``; see `mean_error`."""
    value, error, df = mean_error(figures, inference)
    half = quantile(alpha / 2, df) * error
    p = 2 * tail(abs(value - chance) / error, df) if error > 0 else None
    return value, value - half, value + half, df, p
