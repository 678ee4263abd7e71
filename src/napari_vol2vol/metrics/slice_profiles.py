"""What changes from one slice of a volume to the next, along each of its axes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_vol2vol.metrics.arrays import MetricError

FloatArray = NDArray[np.float32]
#: Edge of the window of SSIM in pixels, and its constants (Wang et al. 2004).
WINDOW, K1, K2 = 7, 0.01, 0.03
#: Slices whose means are worked on at once.
CHUNK = 32
#: Slices with less than this share of the largest slice's body have no median: it would be mere noise.
FEW = 0.15


@dataclass(frozen=True, eq=False)
class SliceProfiles:
    """Of n slices along an axis: n - 1 values of ``ssim`` and ``difference``, n of ``median``.

    ``difference`` is the mean absolute difference of neighbours, ``median`` that of each slice inside the
    body, both in the volume's units; NaN where a slice has no body.
    """

    ssim: FloatArray
    difference: FloatArray
    median: FloatArray


def adjacent_ssim(volume: FloatArray, axis: int, data_range: float) -> FloatArray:
    """Return the SSIM of each slice with the next one, shape (n - 1,).

    The same figure as scikit-image's with its defaults (uniform window of 7, sample covariance, border of
    half a window left out), for all slices at once.

    Raises
    ------
    MetricError
        If a slice is smaller than the window or there is only one.
    """
    stack = np.moveaxis(volume, axis, 0)
    if stack.shape[0] < 2 or min(stack.shape[1:]) < WINDOW:
        raise MetricError(
            f"volume: found shape {volume.shape}, accepted are two slices or more of at least "
            f"{WINDOW} x {WINDOW} along axis {axis}"
        )
    scores = [
        _ssim(np.ascontiguousarray(stack[i : i + CHUNK + 1]), data_range)
        for i in range(0, len(stack) - 1, CHUNK)
    ]
    return np.concatenate(scores)


def _ssim(stack: FloatArray, data_range: float) -> FloatArray:
    def mean(x: FloatArray) -> FloatArray:
        return np.asarray(ndimage.uniform_filter(x, (0, WINDOW, WINDOW)), np.float32)

    c1, c2 = (K1 * data_range) ** 2, (K2 * data_range) ** 2
    sample = WINDOW**2 / (WINDOW**2 - 1)
    offset = stack - np.float32(stack.mean())  # keeps float32 exact enough for the variances
    mu, square = mean(offset), mean(offset * offset)
    variance = sample * (square - mu * mu)
    product = mean(offset[1:] * offset[:-1])
    covariance = sample * (product - mu[1:] * mu[:-1])
    raw = mu + np.float32(stack.mean())
    a, b = raw[1:], raw[:-1]
    score = ((2 * a * b + c1) * (2 * covariance + c2)) / (
        (a * a + b * b + c1) * (variance[1:] + variance[:-1] + c2)
    )
    pad = WINDOW // 2
    return np.asarray(score[:, pad:-pad, pad:-pad].mean(axis=(1, 2)), np.float32)


def adjacent_difference(volume: FloatArray, axis: int, body: NDArray[np.bool_]) -> FloatArray:
    """Return the mean absolute difference of each slice to the next where both are body, shape (n - 1,)."""
    stack, inside = np.moveaxis(volume, axis, 0), np.moveaxis(body, axis, 0)
    values = np.full(len(stack) - 1, np.nan, np.float32)
    for i in range(len(values)):
        both = inside[i] & inside[i + 1]
        if both.any():
            values[i] = np.abs(stack[i + 1][both] - stack[i][both]).mean()
    return values


def slice_medians(volume: FloatArray, axis: int, body: NDArray[np.bool_]) -> FloatArray:
    """Return the median of each slice inside the body, shape (n,); NaN where there is hardly any."""
    stack, inside = np.moveaxis(volume, axis, 0), np.moveaxis(body, axis, 0)
    counts = inside.sum(axis=(1, 2))
    enough = counts > FEW * counts.max()
    return np.array(
        [np.median(s[m]) if e else np.nan for s, m, e in zip(stack, inside, enough, strict=True)], np.float32
    )


def second_difference(values: FloatArray) -> FloatArray:
    """Return ``v_i - (v_{i-1} + v_{i+1}) / 2``, of the same length; NaN at the ends and beside NaN."""
    out = np.full(len(values), np.nan, np.float32)
    if len(values) > 2:
        out[1:-1] = values[1:-1] - (values[:-2] + values[2:]) / 2
    return out


def slice_profiles(
    volume: FloatArray, axis: int, body: NDArray[np.bool_], data_range: float
) -> SliceProfiles:
    """Return the profiles along an axis.

    Parameters
    ----------
    volume : array, shape (D, H, W)
    body : array of bool, same shape
        An eroded mask of the body, so that its outline does not count.
    data_range : float
        Of SSIM, in the volume's units.
    """
    return SliceProfiles(
        adjacent_ssim(volume, axis, data_range),
        adjacent_difference(volume, axis, body),
        slice_medians(volume, axis, body),
    )
