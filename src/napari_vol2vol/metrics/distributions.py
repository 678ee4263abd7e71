"""Distances between two sets of feature vectors, one row ``(d,)`` an item: MMD, Fréchet and kernel distance.

None of them is a number by itself: each depends on the features, on N and on d. So every result carries them,
and `split_half` gives the value between two halves of the *real* set to read it against.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_vol2vol.metrics.arrays import Features, MetricError, as_feature_pair, as_features


@dataclass(frozen=True)
class Discrepancy:
    """A distance between ``n_a`` and ``n_b`` items of ``d`` features each.

    ``bandwidth`` is that of the kernel, in units of the features, where it has one. ``std`` is the standard
    deviation over random subsets of ``subset_size``, where subsets were drawn.
    """

    metric: str
    value: float
    n_a: int
    n_b: int
    d: int
    bandwidth: float | None = None
    std: float | None = None
    subset_size: int | None = None

    def as_dict(self) -> dict[str, str | float | None]:
        """Return the fields as a dictionary."""
        return asdict(self)


Metric = Callable[[Features, Features], Discrepancy]


def mmd_squared(
    a: ArrayLike, b: ArrayLike, *, bandwidth: float | None = None, unbiased: bool = True
) -> Discrepancy:
    """Return the squared maximum mean discrepancy under a Gaussian kernel (Gretton et al. 2012).

    ``k(x, y) = exp(-|x - y|^2 / (2 h^2))``. The unbiased estimate (eq. 3) leaves out each item's kernel with
    itself and may be negative; the biased one (eq. 5, squared) is at least 0 and at most 2.

    Parameters
    ----------
    a, b : array, shapes (N_a, d) and (N_b, d)
        N_a and N_b may differ; at least 2 each.
    bandwidth : float, optional
        h; by default the median distance between two items of the pooled set (Gretton et al. 2012, sec. 8).
        Give one to compare several systems by the same kernel.

    Raises
    ------
    MetricError
        If the features do not fit, or the bandwidth is not positive.
    """
    from scipy.spatial.distance import cdist, pdist

    x, y = as_feature_pair(a, b)
    h = float(np.median(pdist(np.vstack([x, y])))) if bandwidth is None else float(bandwidth)
    if not (np.isfinite(h) and h > 0):
        how = "the median distance of the pooled features is" if bandwidth is None else "found"
        raise MetricError(f"bandwidth: {how} {h:g}, accepted is a finite number above 0")

    def kernel(p: Features, q: Features) -> Features:
        return np.asarray(np.exp(cdist(p, q, "sqeuclidean") / (-2 * h * h)))

    value = _mmd_of_kernels(kernel(x, x), kernel(y, y), kernel(x, y), unbiased)
    return Discrepancy("mmd_squared_rbf", value, len(x), len(y), x.shape[1], bandwidth=h)


def _mmd_of_kernels(xx: Features, yy: Features, xy: Features, unbiased: bool) -> float:
    """Return MMD² from the kernel matrices ``(N_a, N_a)``, ``(N_b, N_b)``, ``(N_a, N_b)``."""
    return _mean_within(xx, unbiased) + _mean_within(yy, unbiased) - 2 * float(xy.mean())


def _mean_within(kernel: Features, unbiased: bool) -> float:
    n = len(kernel)
    if not unbiased:
        return float(kernel.mean())
    return float(kernel.sum() - np.trace(kernel)) / (n * (n - 1))


def frechet_distance(a: ArrayLike, b: ArrayLike) -> Discrepancy:
    """Return the Fréchet distance of the Gaussians fitted to both sets (FID; Heusel et al. 2017, eq. 6).

    ``|m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2))`` with covariances over N - 1. With centred features
    A, B, where ``C_a = A^T A / (N_a - 1)``, the trace of the root is the sum of the singular values of
    ``A B^T``: no matrix root is taken, so N < d is exact as well. The estimate is biased upwards, the more
    the smaller N is to d (Chong and Forsyth 2020): compare only values of the same N.

    Parameters
    ----------
    a, b : array, shapes (N_a, d) and (N_b, d)

    Raises
    ------
    MetricError
        If the features do not fit.
    """
    from scipy.linalg import svdvals

    x, y = as_feature_pair(a, b)
    shift = x.mean(axis=0) - y.mean(axis=0)
    root_a, root_b = _covariance_root(x), _covariance_root(y)
    traces = np.square(root_a).sum() + np.square(root_b).sum()
    value = float(shift @ shift + traces - 2 * svdvals(root_a @ root_b.T).sum())
    return Discrepancy("frechet_distance", max(value, 0.0), len(x), len(y), x.shape[1])  # rounding only


def _covariance_root(x: Features) -> Features:
    """Return R, shape ``(min(N, d), d)``, with ``R^T R`` the covariance of the rows of x ``(N, d)``."""
    n, d = x.shape
    centred = (x - x.mean(axis=0)) / np.sqrt(n - 1)
    return np.asarray(np.linalg.qr(centred, mode="r")) if n > d else np.asarray(centred)


def kernel_distance(
    a: ArrayLike, b: ArrayLike, *, subsets: int = 100, subset_size: int | None = None, seed: int = 0
) -> Discrepancy:
    """Return the kernel distance (KID; Bińkowski et al. 2018): unbiased MMD² under a cubic kernel.

    ``k(x, y) = (x . y / d + 1)^3``; mean and standard deviation over random subsets without replacement.
    The subsets overlap, so that standard deviation is the spread of one subset's value, not the error of
    the mean.

    Parameters
    ----------
    a, b : array, shapes (N_a, d) and (N_b, d)
    subsets : int
        How many are drawn.
    subset_size : int, optional
        Items of each set in a subset, 2 to min(N_a, N_b); by default 1000, or half of the smaller set where
        that is less.

    Raises
    ------
    MetricError
        If the features do not fit, or the number or size of the subsets is out of range.
    """
    x, y = as_feature_pair(a, b)
    smaller = min(len(x), len(y))
    size = min(1000, max(2, smaller // 2)) if subset_size is None else subset_size
    if not 2 <= size <= smaller:
        raise MetricError(
            f"subset_size: found {size}, accepted is 2 to {smaller}, the items of the smaller set"
        )
    if subsets < 1:
        raise MetricError(f"subsets: found {subsets}, accepted is a whole number of at least 1")
    rng = np.random.default_rng(seed)
    values = [_cubic_mmd(_draw(x, size, rng), _draw(y, size, rng)) for _ in range(subsets)]
    return Discrepancy(
        "kernel_distance", float(np.mean(values)), len(x), len(y), x.shape[1],
        std=float(np.std(values, ddof=1)) if subsets > 1 else None, subset_size=size,
    )  # fmt: skip


def _draw(x: Features, size: int, rng: np.random.Generator) -> Features:
    return np.asarray(x[rng.choice(len(x), size, replace=False)])


def _cubic_mmd(x: Features, y: Features) -> float:
    def kernel(p: Features, q: Features) -> NDArray[np.float64]:
        return np.asarray((p @ q.T / p.shape[1] + 1) ** 3)

    return _mmd_of_kernels(kernel(x, x), kernel(y, y), kernel(x, y), unbiased=True)


def split_half(features: ArrayLike, metric: Metric, seed: int = 0) -> Discrepancy:
    """Return the metric between two random halves of one set: the real-versus-real value.

    A generated set that is as good as real cannot be told from it. The halves have half the items, which
    raises a biased metric: compare with generated sets of N / 2 items. With an odd N one item is left out.

    Parameters
    ----------
    features : array, shape (N, d)
        At least 4 rows.
    metric : callable
        `mmd_squared`, `frechet_distance`, `kernel_distance`, or a `functools.partial` of one: give
        `mmd_squared` the bandwidth of the value it is read against.

    Raises
    ------
    MetricError
        If the features do not fit.
    """
    x = as_features(features, "features", rows=4)
    order = np.random.default_rng(seed).permutation(len(x))
    half = len(x) // 2
    return metric(x[order[:half]], x[order[half : 2 * half]])
