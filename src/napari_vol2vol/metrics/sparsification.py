"""Whether uncertainty puts the voxels in the order of their errors (Ilg et al. 2018)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_vol2vol.metrics.arrays import Array, MetricError, check_same_shape

POINTS = 100


@dataclass(frozen=True, eq=False)
class Sparsification:
    """Mean error of the voxels that are left, over that of all voxels, as ever more are taken away.

    ``fractions`` (points,) are taken away, from 0 up; ``by_uncertainty`` (points,) when the most uncertain
    go first, ``by_error`` (points,) when the most wrong go first: the oracle, which nothing can undercut.
    """

    fractions: NDArray[np.float64]
    by_uncertainty: NDArray[np.float64]
    by_error: NDArray[np.float64]

    @property
    def ause(self) -> float:
        """Area under the sparsification error, the difference of both curves; 0 is the oracle's order."""
        return float(np.trapezoid(self.by_uncertainty - self.by_error, self.fractions))


def sparsification(error: Array, uncertainty: Array, points: int = POINTS) -> Sparsification:
    """Return the sparsification curves.

    Parameters
    ----------
    error : array of any shape
        At least 0; ``|reference - mean|`` for voxels.
    uncertainty : array of the same shape
        Its order alone counts. Voxels of one uncertainty are taken away in random order; the curve is the
        expectation over that order.
    points : int
        Fractions 0, 1 / points, ... below 1.

    Raises
    ------
    MetricError
        If the shapes differ, an error is negative, no error is above 0, a value is not finite, or there are
        fewer than 2 points.
    """
    check_same_shape(error=error, uncertainty=uncertainty)
    if points < 2:
        raise MetricError(f"points: found {points}, accepted is a whole number of at least 2")
    errors = np.ravel(error).astype(np.float64)
    if not (np.isfinite(errors).all() and np.isfinite(uncertainty).all()):
        raise MetricError("sparsification: found values that are not finite, accepted are finite numbers")
    if errors.min() < 0 or errors.max() == 0:
        raise MetricError(
            f"error: found values from {errors.min():.4g} to {errors.max():.4g}, accepted are errors of at "
            "least 0, one of them above"
        )
    fractions = np.arange(points) / points
    kept = errors.size - np.floor(fractions * errors.size).astype(int)
    return Sparsification(
        fractions, _mean_of_least(errors, np.ravel(uncertainty), kept), _mean_of_least(errors, errors, kept)
    )


def ause(error: Array, uncertainty: Array, points: int = POINTS) -> float:
    """Return the area under the sparsification error (AUSE), errors in units of their mean.

    0 where uncertainty orders the voxels as their errors do; for an uncertainty that knows nothing and
    exponentially distributed errors it is ``pi^2 / 6 - 1``. Arguments and errors as in `sparsification`.
    """
    return sparsification(error, uncertainty, points).ause


def _mean_of_least(errors: NDArray[np.float64], key: Array, kept: NDArray[np.int_]) -> NDArray[np.float64]:
    """Return the mean error of the ``kept`` voxels (points,) of least key, over the mean of all errors."""
    _, rank, counts = np.unique(key, return_inverse=True, return_counts=True)
    shared = np.bincount(rank, errors) / counts  # expectation over the order within a tie
    sums = np.cumsum(np.repeat(shared, counts))
    return np.asarray(sums[kept - 1] / kept / errors.mean())
