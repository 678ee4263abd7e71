"""Whether a voxel's standard deviation says how far its mean is from the truth.

Everywhere ``mean`` and ``std`` are the voxel-wise mean and standard deviation over samples (n - 1 in the
denominator, as the engine makes them) and ``reference`` is the truth, three arrays of one shape in one unit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from napari_vol2vol.metrics.arrays import Array, MetricError, check_same_shape, check_standard_deviation

LEVELS = (0.5, 0.68, 0.90, 0.95)


def mean_absolute_calibration_error(*, mean: Array, std: Array, reference: Array) -> float:
    """Return the Mean Absolute Calibration Error (MACE), in the arrays' units.

    ``MACE = 1/N sum_i |sigma_i - |y_i - mu_i||`` over N voxels (Score-Fusion, eq. 5). It is 0 only where the
    standard deviation *equals* the error at each voxel, which no random error does: for a perfectly
    calibrated Gaussian it is 0.5354 sigma, and it falls with the error itself. So compare it between systems
    of like error, and read `coverage` beside it.

    Raises
    ------
    MetricError
        If the shapes differ.
    """
    check_same_shape(mean=mean, std=std, reference=reference)
    return float(np.mean(np.abs(std - np.abs(reference - mean)), dtype=np.float64))


def coverage(
    mean: Array,
    std: Array,
    reference: Array,
    levels: Sequence[float] = LEVELS,
    samples: int | None = None,
) -> dict[float, float]:
    """Return the share of voxels whose truth lies inside the central interval, for each nominal level.

    Without ``samples`` the interval is the Gaussian one, ``mean ± z_((1 + level) / 2) std``: right where mean
    and standard deviation are known. From few samples they are not: with N = 5 a *perfect* posterior sampler
    covers only 58 % at 68 % and 85 % at 95 %. With ``samples`` = N the interval is that of a new draw given
    N draws of a Gaussian, ``mean ± t_(N - 1, (1 + level) / 2) sqrt(1 + 1 / N) std`` (Gelman et al. 2013,
    *Bayesian Data Analysis*, sec. 3.2), which covers its nominal level at every N.

    Parameters
    ----------
    levels : sequence of float
        Nominal levels, each between 0 and 1.
    samples : int, optional
        Number of samples that mean and std were made of, at least 2.

    Returns
    -------
    dict
        Nominal level to share, 0 to 1.

    Raises
    ------
    MetricError
        If the shapes differ, a level or the number of samples is out of range, or std is negative.
    """
    from scipy.stats import norm, t

    check_same_shape(mean=mean, std=std, reference=reference)
    check_standard_deviation(std)
    if any(not 0 < level < 1 for level in levels):
        raise MetricError(f"levels: found {tuple(levels)}, accepted are numbers between 0 and 1")
    if samples is not None and samples < 2:
        raise MetricError(f"samples: found {samples}, accepted is a whole number of at least 2")
    error = np.abs(reference - mean)
    shares = {}
    for level in levels:
        upper = (1 + level) / 2
        if samples is None:
            width = float(norm.ppf(upper))
        else:
            width = float(t.ppf(upper, samples - 1)) * math.sqrt(1 + 1 / samples)
        shares[level] = float(np.mean(error <= width * std))
    return shares


def uncertainty_error_correlation(mean: Array, std: Array, reference: Array) -> float:
    """Return Spearman's rank correlation of ``|reference - mean|`` and std over the voxels, -1 to 1.

    Raises
    ------
    MetricError
        If the shapes differ, or error or std is constant, where ranks do not exist.
    """
    from scipy.stats import spearmanr

    check_same_shape(mean=mean, std=std, reference=reference)
    error = np.abs(reference - mean)
    for name, values in (("std", std), ("error", error)):
        if np.ptp(values) == 0:
            raise MetricError(
                f"rank correlation: found one value of {name} everywhere, accepted is one that varies"
            )
    return float(spearmanr(error, std, axis=None).statistic)
