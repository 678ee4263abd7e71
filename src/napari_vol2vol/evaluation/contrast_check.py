"""What contrast removal does to a real CT: HU by tissue, changes from slice to slice, seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_vol2vol.metrics.coherence import Finding, coherence
from napari_vol2vol.volume import Volume, check_reference

Mask = NDArray[np.bool_]
PLANES = ("axial", "coronal", "sagittal")
#: Neighbouring slices of the result may differ by so much more or less than those of the source.
WITHIN = 0.1


@dataclass(frozen=True)
class TissueChange:
    """Median HU of a region before and after, and the median of the change of its voxels."""

    region: str
    voxels: int
    before: float
    after: float
    change: float


@dataclass(frozen=True)
class SliceChange:
    """Mean difference of neighbouring slices along an axis, result over source.

    ``ratio`` is its median over the slices, ``within`` the share of slices in which it is within 10 % of 1.
    """

    plane: str
    ratio: float
    within: float


@dataclass(frozen=True, eq=False)
class ContrastCheck:
    """Everything that is looked at."""

    tissues: list[TissueChange]
    slices: list[SliceChange]
    findings: list[Finding]

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {
            "tissues": [asdict(t) for t in self.tissues],
            "slices": [asdict(s) for s in self.slices],
            "findings": [f"{PLANES[f.axis]}: {f.text}" for f in self.findings],
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
    changes = []
    for name, mask in regions.items():
        old, new = before[mask], after[mask]
        medians = (float(np.median(v)) for v in (old, new, new - old))
        changes.append(TissueChange(name, int(mask.sum()), *medians))
    findings = coherence(after, before, source.spacing_mm).findings
    return ContrastCheck(changes, [_along(axis, before, after) for axis in range(3)], list(findings))


def _along(axis: int, before: NDArray[np.float32], after: NDArray[np.float32]) -> SliceChange:
    old, new = (_differences(v, axis) for v in (before, after))
    ratio = new[old > 0] / old[old > 0]
    return SliceChange(PLANES[axis], float(np.median(ratio)), float(np.mean(np.abs(ratio - 1) <= WITHIN)))


def _differences(volume: NDArray[np.float32], axis: int) -> NDArray[np.float64]:
    """Return the mean absolute difference of each slice to the next, one slice at a time."""
    stack = np.moveaxis(volume, axis, 0)
    return np.array([np.abs(b - a).mean(dtype=np.float64) for a, b in pairwise(stack)])
