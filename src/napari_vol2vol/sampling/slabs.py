"""Run a 3D network slab by slab where a whole volume does not fit into memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Run = Callable[[list[Tensor]], list[Tensor]]


def in_slabs(
    run: Run,
    volumes: Sequence[Tensor],
    scales: Sequence[int],
    slab: int | None,
    multiple: int,
    halo: int = 16,
) -> list[Tensor]:
    """Apply ``run`` to axial slabs with a halo on both sides and join the middles.

    Exact for networks whose reach is within the halo; group normalisation sees the slab instead of the whole
    volume, so a network that has it agrees only approximately. That is why slabs are a step-down, not the
    default.

    Parameters
    ----------
    volumes : sequence of Tensor, shape (C, D / scale, H / scale, W / scale)
        Inputs on grids coarser by ``scales``; the first has scale 1.
    slab : int or None
        Axial slices of a slab on the full grid, a multiple of ``multiple``; None runs the whole volume at
        once.
    multiple : int
        What ``D`` and the slab must be divisible by; the halo is rounded up to it.
    """
    depth = volumes[0].shape[1]
    if slab is None or slab >= depth:
        return run(list(volumes))
    slab = max(multiple, slab - slab % multiple)
    halo = -(-halo // multiple) * multiple
    parts: list[list[Tensor]] = []
    for start in range(0, depth, slab):
        low, high = max(0, start - halo), min(depth, start + slab + halo)
        cut = [v[:, low // s : high // s] for v, s in zip(volumes, scales, strict=True)]
        keep = slice(start - low, min(start + slab, depth) - low)
        parts.append([out[:, keep] for out in run(cut)])
    return [torch.cat(outs, dim=1) for outs in zip(*parts, strict=True)]
