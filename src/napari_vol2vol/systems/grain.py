"""Grain: where a result differs little from its source, it keeps the noise of the source.

A network that has learned from two scans answers with what both have in common and leaves out the noise of
the source, so the result is smoother than any scan. Contrast medium changes whole regions; noise changes from
voxel to voxel. So small changes are taken as their mean over neighbours, large ones as they are. Where the
medium leaves off, only neighbours of small change count, so that no vessel leaves a rim.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_vol2vol.networks.local_mutual_information import box_sum
from napari_vol2vol.systems.flow_options import KEEP

#: Model space, HU / 1000: changes below are small.
SMALL = 0.06
#: Voxels (z, y, x) that a mean is taken over, and slices that are seen at once.
NEIGHBOURS, SLICES_AT_ONCE = (3, 5, 5), 16


def kept(source: Tensor, result: Tensor) -> Tensor:
    """Return a result `(D, H, W)` with the grain of its source, both in model space."""
    depth, reach = len(source), NEIGHBOURS[0] // 2
    out = torch.empty_like(result)
    for start in range(0, depth, SLICES_AT_ONCE):
        stop = min(start + SLICES_AT_ONCE, depth)
        low, high = max(0, start - reach), min(depth, stop + reach)
        own = slice(start - low, stop - low)
        change = result[low:high] - source[low:high]
        small = (change.abs() < SMALL).to(change.dtype)
        among, count = (_sum(v)[own] for v in (change * small, small))
        smoothed = torch.where(small[own] > 0, among / count.clamp_min(1), change[own])
        out[start:stop] = source[start:stop] + smoothed
    return out


def with_grain_of(source: Tensor, how: str) -> Callable[[Tensor], Tensor]:
    """Return what makes the shown volume of an estimate, as the option says."""
    return (lambda x: kept(source, x)) if how == KEEP else (lambda x: x)


def _sum(volume: Tensor) -> Tensor:
    """Return the sum over the neighbours of every voxel that are inside the volume."""
    pad = [n // 2 for n in reversed(NEIGHBOURS) for _ in (0, 1)]
    return box_sum(F.pad(volume, pad), NEIGHBOURS)


__all__ = ["kept", "with_grain_of"]
