"""Empirical areas under ROC curves of many readings of the same cases, and their covariances.

Arrays are ``ratings`` `(..., n)` over ``n`` cases with ``truth`` `(n,)` (True is positive). Leading axes are
treatments and readers.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_vol2vol.errors import SettingsError

Floats = NDArray[np.float64]
Truth = NDArray[np.bool_]


def wins(ratings: ArrayLike, truth: ArrayLike) -> Floats:
    """Return `(..., positives, negatives)`: 1 where the positive is rated higher, 1/2 at a tie.

    Raises
    ------
    SettingsError
        If positives or negatives are missing, or a rating is not finite.
    """
    values, is_positive = np.asarray(ratings, float), np.asarray(truth, bool)
    if not is_positive.any() or is_positive.all():
        raise SettingsError("truth: found one class only, accepted are positive and negative cases")
    if not np.isfinite(values).all():
        raise SettingsError("ratings: found a missing rating, accepted is one for every reader and case")
    high, low = values[..., is_positive, None], values[..., None, ~is_positive]
    return np.asarray((high > low) + 0.5 * (high == low), float)


def auc(ratings: ArrayLike, truth: ArrayLike) -> Floats:
    """Return the empirical (trapezoidal, Wilcoxon) area `(...)`; errors as in `wins`."""
    return np.asarray(wins(ratings, truth).mean(axis=(-2, -1)))


def delong_covariance(ratings: ArrayLike, truth: ArrayLike) -> Floats:
    """Return the covariance `(k, k)` of the areas of ``ratings`` `(k, n)`.

    DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988) 837. Positives and negatives have to be different,
    independent cases.
    """
    kernel = wins(np.atleast_2d(np.asarray(ratings, float)), truth)
    positives, negatives = kernel.mean(axis=2), kernel.mean(axis=1)
    m, n = kernel.shape[1:]
    if min(m, n) < 2:
        raise SettingsError(f"truth: found {m} positives and {n} negatives, accepted are 2 of each or more")
    return np.asarray(np.atleast_2d(np.cov(positives)) / m + np.atleast_2d(np.cov(negatives)) / n)


def left_out_auc(ratings: ArrayLike, truth: ArrayLike, clusters: Sequence[object] | None = None) -> Floats:
    """Return the areas `(clusters, ...)` with each cluster of cases left out in turn.

    ``clusters`` `(n,)` tells which cases belong together (one patient as real and as generated volume);
    without it every case stands for itself.
    """
    kernel, is_positive = wins(ratings, truth), np.asarray(truth, bool)
    names = np.arange(is_positive.size) if clusters is None else _numbers(clusters)
    count = int(names.max()) + 1
    member = np.eye(count)[names]
    rows, columns = member[is_positive], member[~is_positive]
    total = kernel.sum(axis=(-2, -1))
    lost = kernel.sum(-1) @ rows + kernel.sum(-2) @ columns
    if (rows.any(0) & columns.any(0)).any():
        lost = lost - np.einsum("...ij,ic,jc->...c", kernel, rows, columns)
    left = (len(rows) - rows.sum(0)) * (len(columns) - columns.sum(0))
    if (left == 0).any():
        raise SettingsError("cases: found too few to leave one out, accepted are 2 of each class or more")
    return np.moveaxis((total[..., None] - lost) / left, -1, 0)


def jackknife_covariance(left_out: ArrayLike) -> Floats:
    """Return the covariance `(k, k)` of figures from their values `(cases, k)` with each case left out."""
    values = np.asarray(left_out, float)
    count = len(values)
    centred = values - values.mean(axis=0)
    return np.asarray((count - 1) / count * centred.T @ centred)


def curve(ratings: ArrayLike, truth: ArrayLike) -> tuple[Floats, Floats]:
    """Return false and true positive rates of the empirical ROC curve, for drawing."""
    from sklearn.metrics import roc_curve

    false, true, _ = roc_curve(np.asarray(truth, bool), np.asarray(ratings, float), drop_intermediate=False)
    return np.asarray(false), np.asarray(true)


def _numbers(clusters: Sequence[object]) -> NDArray[np.int64]:
    places: dict[object, int] = {}
    return np.array([places.setdefault(cluster, len(places)) for cluster in clusters])
