"""How consistent a volume is from slice to slice: four looks, always beside a reference of the same anatomy.

One figure does not answer that: the mean SSIM of adjacent slices rewards blur and misses a bad slice. So
every figure here is a ratio to, or a difference from, the same figure of a reference, along each axis, in mm;
none is a score by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_vol2vol.metrics.arrays import MetricError, check_same_shape
from napari_vol2vol.metrics.slice_profiles import (
    FloatArray,
    SliceProfiles,
    second_difference,
    slice_medians,
    slice_profiles,
)

Mask = NDArray[np.bool_]
Spacing = tuple[float, float, float]
#: Normal deviations from a median absolute deviation.
MAD = 1.4826
#: Axes with this many voxels and more are looked at on every second one for the body's mask.
COARSE_FROM = 64


@dataclass(frozen=True)
class Limits:
    """From where a finding is reported. They are wide enough for twins that differ in their noise alone.

    ``change`` and ``power`` bound a ratio to the reference on both sides, as a share; ``jitter`` a ratio of
    spreads; ``slice`` and ``step`` are in robust standard deviations.
    """

    change: float = 0.06
    power: float = 0.10
    jitter: float = 1.8
    slice: float = 6.0
    step: float = 6.0


LIMITS = Limits()


@dataclass(frozen=True)
class Finding:
    """One thing that is not as in the reference: which ``panel`` saw it, along which axis, in which slices.

    ``found`` and ``expected`` are in the units that ``text`` names; ``slices`` is empty where all are meant.
    """

    panel: str
    axis: int
    text: str
    found: float
    expected: float
    slices: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class AxisCoherence:
    """One axis of a volume: profiles, and what it shows at high frequency.

    ``gradient`` is the mean absolute gradient along the axis over that of the other two, per mm; ``power``
    the same ratio of high-frequency power (of the typical voxel, edges left out), which is
    ``fine`` in squared units.
    """

    profiles: SliceProfiles
    gradient: float
    power: float
    fine: float
    outlier: FloatArray
    spacing_mm: float


@dataclass(frozen=True, eq=False)
class Coherence:
    """A volume beside its reference, three axes each, and what differs."""

    volume: tuple[AxisCoherence, ...]
    reference: tuple[AxisCoherence, ...]
    findings: tuple[Finding, ...]

    @property
    def flagged_slices(self) -> list[tuple[int, int]]:
        """Return (axis, slice) of every slice that a finding names, without repetition."""
        return sorted({(f.axis, s) for f in self.findings for s in f.slices})


def body_mask(reference: FloatArray, erode_mm: float, spacing_mm: Spacing) -> Mask:
    """Return where the body is, without its outline: above Otsu's threshold, largest part, filled, eroded.

    It is found on every second voxel of long axes: a mask need not be finer.

    Raises
    ------
    MetricError
        If nothing is left.
    """
    from skimage.filters import threshold_otsu

    every = tuple(2 if n >= COARSE_FROM else 1 for n in reference.shape)
    coarse = reference[tuple(slice(None, None, k) for k in every)]
    bright = coarse > threshold_otsu(coarse)
    labels, count = ndimage.label(bright)
    if count > 1:
        bright = labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))
    for axis in range(3):  # holes of slices: lungs and ventricles belong to the body
        for part in np.moveaxis(bright, axis, 0):
            part |= ndimage.binary_fill_holes(part)
    spacing = [s * k for s, k in zip(spacing_mm, every, strict=True)]
    body = ndimage.distance_transform_edt(np.pad(bright, 1), sampling=spacing)[1:-1, 1:-1, 1:-1] > erode_mm
    if not body.any():
        raise MetricError(f"body: found nothing brighter than the background after eroding {erode_mm} mm")
    for axis, k in enumerate(every):
        body = np.repeat(body, k, axis=axis)
    return np.asarray(body[tuple(slice(0, n) for n in reference.shape)], bool)


def high_frequency(volume: FloatArray, axis: int, spacing_mm: Spacing) -> FloatArray:
    """Return what along one axis is finer than the coarsest spacing of the volume, in its units."""
    sigma = [0.0, 0.0, 0.0]
    sigma[axis] = max(spacing_mm) / spacing_mm[axis]
    return volume - np.asarray(ndimage.gaussian_filter(volume, sigma), np.float32)


def shimmer(volume: FloatArray, axis: int, spacing_mm: Spacing, radius_mm: float = 4.0) -> FloatArray:
    """Return the local energy of what is fine through the planes but not in them, in squared units.

    Parameters
    ----------
    volume : array, shape (D, H, W)
    axis : int
        Along which slices are stacked.
    radius_mm : float
        Standard deviation of the neighbourhood.
    """
    energies = [np.square(high_frequency(volume, a, spacing_mm)) for a in range(3)]
    through = energies.pop(axis)
    excess = through - (energies[0] + energies[1]) / 2
    smooth = ndimage.gaussian_filter(excess, [radius_mm / s for s in spacing_mm])
    return np.asarray(np.maximum(smooth, 0), np.float32)


def coherence(
    volume: FloatArray,
    reference: FloatArray,
    spacing_mm: Spacing,
    *,
    boundaries: Sequence[tuple[int, int]] = (),
    body: Mask | None = None,
    limits: Limits = LIMITS,
) -> Coherence:
    """Hold a volume against a reference of the same anatomy on the same grid.

    Parameters
    ----------
    volume, reference : arrays, shape (D, H, W)
        In the same units.
    spacing_mm : (z, y, x)
    boundaries : sequence of (axis, slice)
        First slices of the sampler's own slabs, tiles or chunks.
    body : array of bool, optional
        Where to look; by default the eroded body of the reference.

    Raises
    ------
    MetricError
        If the shapes differ, a boundary lies outside, or there is no body.
    """
    check_same_shape(volume=volume, reference=reference)
    for axis, index in boundaries:
        if not (0 <= axis < 3 and 0 < index < volume.shape[axis]):
            raise MetricError(
                f"boundaries: found slice {index} of axis {axis}, accepted are 1 to n - 1 of {volume.shape}"
            )
    where = body_mask(reference, 3.0, spacing_mm) if body is None else body
    span = float(np.percentile(reference, 99.5) - np.percentile(reference, 0.5)) or 1.0
    ours = _axes(volume, where, spacing_mm, span)
    theirs = _axes(reference, where, spacing_mm, span)
    found = []
    kept = np.array([v.fine / max(r.fine, 1e-30) for v, r in zip(ours, theirs, strict=True)])
    kept /= max(float(np.median(kept)), 1e-30)  # what all axes lose alike is no matter of coherence
    for axis in range(3):
        # the median of the difference is steadier than the difference of medians: it is the noise's alone
        offset = slice_medians(volume - reference, axis, where)
        found += _compare(axis, ours[axis], theirs[axis], float(kept[axis]), limits)
        found += _slices(axis, second_difference(offset), theirs[axis].outlier, limits)
        found += _seams(axis, offset, [i for a, i in boundaries if a == axis], limits)
    return Coherence(ours, theirs, tuple(found))


def _axes(volume: FloatArray, body: Mask, spacing: Spacing, span: float) -> tuple[AxisCoherence, ...]:
    gradient, power = np.empty(3), np.empty(3)
    for axis in range(3):
        inside = np.moveaxis(body, axis, 0)
        step = np.abs(np.diff(np.moveaxis(volume, axis, 0), axis=0))
        gradient[axis] = step[inside[1:] & inside[:-1]].mean() / spacing[axis]
        # the median leaves edges out: grain is everywhere, an edge of bone outweighs all of it in a mean
        power[axis] = np.square(np.median(np.abs(high_frequency(volume, axis, spacing)[body])))
    axes = []
    for axis in range(3):
        rest = [a for a in range(3) if a != axis]
        profiles = slice_profiles(volume, axis, body, span)
        axes.append(
            AxisCoherence(
                profiles,
                float(gradient[axis] / max(gradient[rest].mean(), 1e-30)),
                float(power[axis] / max(power[rest].mean(), 1e-30)),
                float(power[axis]),
                second_difference(profiles.median),
                spacing[axis],
            )
        )
    return tuple(axes)


def _compare(
    axis: int, ours: AxisCoherence, theirs: AxisCoherence, ratio: float, limits: Limits
) -> list[Finding]:
    found = []
    change = float(np.nanmedian(ours.profiles.difference / theirs.profiles.difference))
    if abs(change - 1) > limits.change:
        word = "more" if change > 1 else "less"
        found.append(Finding("profiles", axis, f"neighbouring slices differ {word}", change, 1.0))
    if not 1 / (1 + limits.power) <= ratio <= 1 + limits.power:
        word = (
            "flickers: more fine detail through the planes" if ratio > 1 else "is blurred through the planes"
        )
        found.append(Finding("high frequency", axis, word, ratio, 1.0))
    return found


def _slices(axis: int, excess: FloatArray, anatomy: FloatArray, limits: Limits) -> list[Finding]:
    """Find slices whose median leaps off the reference, beyond what the anatomy does."""
    scale, usual = _spread(excess), _spread(anatomy)
    found = []
    if scale > limits.jitter * usual:
        found.append(Finding("slice medians", axis, "brightness jumps from slice to slice", scale, usual))
    # a bad slice pulls half its leap into both neighbours, with the other sign: only the peak is named
    leap = np.abs(np.nan_to_num(excess))
    peak = leap >= np.maximum(np.roll(leap, 1), np.roll(leap, -1))
    bad = np.flatnonzero(peak & (leap > limits.slice * max(scale, usual)))
    if len(bad):
        worst = float(leap[bad].max())
        text = "slices brighter or darker than their neighbours"
        found.append(Finding("slice medians", axis, text, worst, max(scale, usual), tuple(map(int, bad))))
    return found


def _seams(axis: int, offset: FloatArray, boundaries: Sequence[int], limits: Limits) -> list[Finding]:
    """Hold steps at the sampler's own boundaries against those elsewhere."""
    if not boundaries:
        return []
    at = np.array(sorted(boundaries)) - 1
    steps = np.abs(np.diff(offset))
    usual, step = _spread(np.delete(steps, at)), float(np.nanmean(steps[at]))
    if not step > limits.step * max(usual, 1e-30):
        return []
    slices = tuple(int(i) + 1 for i in at)
    return [Finding("boundaries", axis, "steps at the sampler's own seams", step, usual, slices)]


def _spread(values: FloatArray) -> float:
    """Return a robust standard deviation around zero, leaving NaN out."""
    known = np.abs(values[np.isfinite(values)])
    return MAD * float(np.median(known)) if len(known) else 0.0
