"""Values inside regions: what a radiologist reads off an ROI, for every label at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import ndimage

from napari_vol2vol.metrics.arrays import MetricError, check_same_shape


@dataclass(frozen=True)
class RegionStatistics:
    """One region of one volume, in the volume's units; ``voxels`` counts it."""

    label: int
    voxels: int
    mean: float
    std: float
    median: float
    low: float
    high: float


def region_statistics(volume: ArrayLike, labels: ArrayLike) -> list[RegionStatistics]:
    """Return mean, standard deviation, median, 5th and 95th percentile of each label above 0.

    Parameters
    ----------
    volume : array, shape (z, y, x)
    labels : array of integers, same shape
        0 is nothing.

    Raises
    ------
    MetricError
        If the shapes differ, the labels are no whole numbers, or there is no region.
    """
    values, regions = np.asarray(volume), np.asarray(labels)
    check_same_shape(volume=values, labels=regions)
    if not np.issubdtype(regions.dtype, np.integer) and not np.issubdtype(regions.dtype, np.bool_):
        raise MetricError(f"labels: found {regions.dtype}, accepted are whole numbers, 0 where there is none")
    regions = regions.astype(np.int64)
    found = []
    for label, box in enumerate(ndimage.find_objects(regions), start=1):
        if box is None:
            continue
        inside = values[box][regions[box] == label].astype(np.float64)
        low, median, high = np.percentile(inside, (5, 50, 95))
        found.append(
            RegionStatistics(
                label,
                inside.size,
                float(inside.mean()),
                float(inside.std()),
                float(median),
                float(low),
                float(high),
            )
        )
    if not found:
        raise MetricError("labels: found no voxel above 0, accepted is at least one region")
    return found


def change_by_region(before: ArrayLike, after: ArrayLike, labels: ArrayLike) -> Mapping[int, float]:
    """Return the median of ``after - before`` of each label, in the units of both.

    Raises
    ------
    MetricError
        As `region_statistics`.
    """
    first, second = np.asarray(before), np.asarray(after)
    check_same_shape(before=first, after=second)
    return {r.label: r.median for r in region_statistics(second - first, labels)}
