"""The velocity of a flow along one plane: a 2D network that sees x_t, and the source where it asks for it.

Medical Flow Matching tells its network x_t alone (3.2), so at the result nobody can know any more how much a
patient was enhanced. A network that also sees the slice of the source and its neighbours can: this is the
project's own, as is looking at neighbours in a flow at all.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from napari_vol2vol.sampling.flow import Velocity
from napari_vol2vol.sampling.planes import Plane, Tick, apply_plane, no_tick


def plane_velocity(
    network: nn.Module,
    plane: Plane,
    source: Tensor,
    source_slices: int,
    *,
    slice_batch: int,
    tick: Tick = no_tick,
) -> Velocity:
    """Return the velocity of volumes `(D, H, W)` that a 2D network has along a plane.

    Parameters
    ----------
    network : nn.Module
        Called as ``network(x, t, label)``; the first of its ``1 + source_slices`` channels is x_t.
    source : Tensor, shape (D, H, W)
        Where the flow starts, in model space.
    source_slices : int
        Consecutive slices of the source that the network sees, an odd number, or 0 for none.
    """
    beside = source[None] if source_slices else None

    def velocity(x: Tensor, t: float) -> Tensor:
        seen = None if beside is None else _as_computed(beside)
        return apply_plane(
            network, _as_computed(x[None]), t, plane, slice_batch=slice_batch, beside=seen,
            beside_slices=source_slices, tick=tick,
        ).prediction  # fmt: skip

    return velocity


def _as_computed(volume: Tensor) -> Tensor:
    """Return a volume in the precision of autocast, once for what every call would convert again."""
    kind = volume.device.type
    return volume.to(torch.get_autocast_dtype(kind)) if torch.is_autocast_enabled(kind) else volume


__all__ = ["plane_velocity"]
