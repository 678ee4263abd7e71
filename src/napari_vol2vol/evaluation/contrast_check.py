"""What contrast removal does to a real CT: HU by tissue, changes from slice to slice, seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_vol2vol.anatomical_planes import PLANES
from napari_vol2vol.metrics.coherence import Finding, coherence
from napari_vol2vol.volume import Volume, check_reference

Mask = NDArray[np.bool_]
#: Neighbouring slices of the result may differ by so much more or less than those of the source.
WITHIN = 0.1
#: A region is enhanced where its median falls by more than this, in HU.
ENHANCED_HU = 60.0
#: Slices with fewer voxels of a region say nothing of it.
ENOUGH_VOXELS = 20
#: A voxel has changed where it differs by more, in HU: beyond the noise of most scans.
CHANGED_HU = 50.0


@dataclass(frozen=True)
class TissueChange:
    """Median HU of a region before and after, and the median of the change of its voxels.

    ``changed`` is the share of voxels that changed by more than `CHANGED_HU`: where little should change, a
    median says nothing of those that did.
    """

    region: str
    voxels: int
    before: float
    after: float
    change: float
    changed: float


@dataclass(frozen=True)
class LeftOut:
    """What of an enhanced region is still there: voxels that fell by less than half of the median fall.

    ``voxels`` is their share; ``slices`` the share of axial slices in which they are more than a quarter,
    which show as stripes; ``of`` the number of slices that hold the region.
    """

    region: str
    voxels: float
    slices: float
    of: int


@dataclass(frozen=True)
class SliceChange:
    """Mean difference of neighbouring slices along an axis inside the body, result over source.

    ``ratio`` is its median over the slices, ``within`` the share of slices in which it is within 10 % of 1.
    """

    plane: str
    ratio: float
    within: float


@dataclass(frozen=True, eq=False)
class ContrastCheck:
    """Everything that is looked at."""

    tissues: list[TissueChange]
    left_out: list[LeftOut]
    slices: list[SliceChange]
    findings: list[Finding]

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {
            "tissues": [asdict(t) for t in self.tissues],
            "left_out": [asdict(x) for x in self.left_out],
            "slices": [asdict(s) for s in self.slices],
            "findings": [f"{PLANES[f.axis].name}: {f.text}" for f in self.findings],
        }


def check_contrast(source: Volume, result: Volume, regions: Mapping[str, Mask]) -> ContrastCheck:
    """Compare a translated CT with its source.

    Parameters
    ----------
    source, result : Volume, shape (z, y, x)
        In HU, on one grid.
    regions : mapping of name to mask (z, y, x)

    Raises
    ------
    VolumeError
        If the grids differ.
    """
    check_reference(source, result, "result")
    before, after = source.data, result.data
    changes, left = [], []
    for name, mask in regions.items():
        old, new = before[mask], after[mask]
        was, now, fell = (float(np.median(v)) for v in (old, new, new - old))
        changed = float((np.abs(new - old) > CHANGED_HU).mean())
        changes.append(TissueChange(name, int(mask.sum()), was, now, fell, changed))
        if changes[-1].change < -ENHANCED_HU:
            left.append(_left_out(name, after - before, mask, changes[-1].change))
    found = coherence(after, before, source.spacing_mm)
    slices = [
        _between(plane.name, ours.profiles.difference, theirs.profiles.difference)
        for plane, ours, theirs in zip(PLANES, found.volume, found.reference, strict=True)
    ]
    return ContrastCheck(changes, left, slices, list(found.findings))


def _left_out(name: str, change: NDArray[np.float32], mask: Mask, median: float) -> LeftOut:
    """Return what of an enhanced region is still there."""
    still = mask & (change > median / 2)
    inside, there = mask.sum((1, 2)), still.sum((1, 2))
    held = inside >= ENOUGH_VOXELS
    share = float(np.mean(there[held] > inside[held] / 4)) if held.any() else 0.0
    return LeftOut(name, float(still.sum() / mask.sum()), share, int(held.sum()))


def _between(plane: str, after: NDArray[np.float32], before: NDArray[np.float32]) -> SliceChange:
    """Return how the differences of neighbouring slices changed, NaN where there is no body left out."""
    ratio = (after / before)[np.isfinite(before) & (before > 0)]
    return SliceChange(plane, float(np.median(ratio)), float(np.mean(np.abs(ratio - 1) <= WITHIN)))
