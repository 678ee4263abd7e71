"""What the metrics ask of the arrays they are given."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_vol2vol.errors import Vol2VolError

Array = NDArray[Any]
Features = NDArray[np.float64]


class MetricError(Vol2VolError):
    """Arrays or settings that a metric is not defined for."""


def check_same_shape(**arrays: Array) -> None:
    """Refuse arrays that differ in shape or hold no element; the keywords name them in the message.

    Raises
    ------
    MetricError
        Names the shapes found.
    """
    if len({a.shape for a in arrays.values()}) > 1 or any(a.size == 0 for a in arrays.values()):
        found = ", ".join(f"{name} {a.shape}" for name, a in arrays.items())
        raise MetricError(f"shapes: found {found}; accepted is one shape for all, with at least one element")


def check_standard_deviation(std: Array) -> None:
    """Refuse a standard deviation that is negative or not finite anywhere.

    Raises
    ------
    MetricError
        Names the smallest value, or that one is not finite.
    """
    smallest = float(std.min())
    if not (np.isfinite(smallest) and np.isfinite(std.max()) and smallest >= 0):
        found = f"{smallest:.4g}" if np.isfinite(smallest) else "a value that is not finite"
        raise MetricError(f"std: found {found}, accepted are finite values of at least 0")


def as_features(values: ArrayLike, name: str, rows: int = 2) -> Features:
    """Return a feature matrix as float64.

    Parameters
    ----------
    values : array, shape (N, d)
        One row an item (a volume, a slice), one column a feature.
    name : str
        How messages call it.
    rows : int
        Fewest rows accepted.

    Raises
    ------
    MetricError
        Where the array has not two axes, too few rows, no column, or a value that is not finite.
    """
    features = np.asarray(values, np.float64)
    if features.ndim != 2 or features.shape[0] < rows or features.shape[1] < 1:
        raise MetricError(
            f"{name}: found features of shape {features.shape}, accepted is (N, d) with N of at least {rows}"
        )
    if not np.isfinite(features).all():
        raise MetricError(f"{name}: found features that are not finite, accepted are finite numbers")
    return features


def as_feature_pair(a: ArrayLike, b: ArrayLike) -> tuple[Features, Features]:
    """Return two feature matrices ``(N_a, d)`` and ``(N_b, d)`` as float64.

    Raises
    ------
    MetricError
        As `as_features`, or where the numbers of features differ.
    """
    first, second = as_features(a, "a"), as_features(b, "b")
    if first.shape[1] != second.shape[1]:
        raise MetricError(
            f"features: found d = {first.shape[1]} in a and {second.shape[1]} in b, accepted is one d"
        )
    return first, second
