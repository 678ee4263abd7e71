"""Shared information of two volumes, for comparing modalities whose intensities do not correspond."""

from __future__ import annotations

import numpy as np

from napari_vol2vol.metrics.arrays import Array, MetricError, check_same_shape

BINS = 64


def _check(x: Array, reference: Array, bins: int) -> None:
    check_same_shape(x=x, reference=reference)
    if bins < 2:
        raise MetricError(f"bins: found {bins}, accepted is a whole number of at least 2")


def mutual_information(x: Array, reference: Array, bins: int = BINS) -> float:
    """Return the mutual information in nats, from the joint histogram (Viola and Wells 1997).

    ``I = sum p(a, b) ln(p(a, b) / (p(a) p(b)))`` over ``bins`` x ``bins`` cells, of equal width between the
    smallest and the largest value of each array. It is at least 0, at most ``ln(bins)``, and the estimate
    for independent arrays of N voxels is about ``(bins - 1)^2 / (2 N)`` too high.

    Parameters
    ----------
    x, reference : array of any one shape
        Use ``array[mask]`` to count some voxels only.

    Raises
    ------
    MetricError
        If the shapes differ or there are fewer than two bins.
    """
    from scipy.special import rel_entr

    _check(x, reference, bins)
    counts, _, _ = np.histogram2d(np.ravel(x), np.ravel(reference), bins=bins)
    joint = counts / counts.sum()
    independent = np.outer(joint.sum(axis=1), joint.sum(axis=0))
    return float(rel_entr(joint, independent).sum())


def normalised_mutual_information(x: Array, reference: Array, bins: int = BINS) -> float:
    """Return ``(H(x) + H(reference)) / H(x, reference)`` (Studholme et al. 1999), by scikit-image.

    1 for independent arrays, 2 where one determines the other; histogram as in `mutual_information`.

    Raises
    ------
    MetricError
        If the shapes differ, there are fewer than two bins, or both arrays are constant (0 / 0).
    """
    from skimage.metrics import normalized_mutual_information

    _check(x, reference, bins)
    if np.ptp(x) == 0 and np.ptp(reference) == 0:
        raise MetricError("normalised mutual information: found two constant arrays, accepted is at most one")
    return float(normalized_mutual_information(reference, x, bins=bins))
