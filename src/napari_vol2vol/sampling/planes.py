"""Apply a 2D network along an anatomical plane of a volume, a batch of slices at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

Plane = Literal["axial", "coronal", "sagittal"]
PLANES: tuple[Plane, ...] = ("axial", "coronal", "sagittal")

#: Called between slice batches; raising from it is how a run is cancelled within one network call.
Tick = Callable[[], None]


def no_tick() -> None:
    """Do nothing between slice batches."""


def as_slices(volume: Tensor, plane: Plane) -> Tensor:
    """View `(C, D, H, W)` as a stack of slices `(S, C, *in-plane)` of a plane."""
    return volume.movedim(1 + PLANES.index(plane), 0)


def as_volume(slices: Tensor, plane: Plane) -> Tensor:
    """Invert `as_slices`: `(S, C, *in-plane)` to `(C, D, H, W)`."""
    return slices.movedim(0, 1 + PLANES.index(plane))


def with_neighbours(slices: Tensor, start: int, stop: int, count: int) -> Tensor:
    """Return slices ``start`` to ``stop`` with their neighbours as channels (2.5D).

    Parameters
    ----------
    slices : Tensor, shape (S, C, h, w)
    count : int, odd
        Consecutive slices seen together; the ends are replicated, never wrapped.

    Returns
    -------
    Tensor, shape (stop - start, count * C, h, w), neighbours in order, the slice itself in the middle
    """
    if count == 1:
        return slices[start:stop]
    middle = torch.arange(start, min(stop, slices.shape[0]), device=slices.device)
    last = slices.shape[0] - 1
    reach = range(-(count // 2), count // 2 + 1)
    return torch.cat([slices[(middle + offset).clamp(0, last)] for offset in reach], dim=1)


@dataclass(frozen=True)
class PlaneOutput:
    """Prediction `(D, H, W)` of a plane model; pooled features `(F, D / s, H / s, W / s)` per level."""

    prediction: Tensor
    features: tuple[Tensor, ...] = ()


def _pool_slices(features: Tensor, scale: int) -> Tensor:
    """Average groups of ``scale`` neighbouring slices: `(S, F, h, w)` to `(S / scale, F, h, w)`."""
    s, f, h, w = features.shape
    return features.reshape(s // scale, scale, f, h, w).mean(1)


def apply_plane(
    network: nn.Module,
    inputs: Tensor,
    t: float,
    plane: Plane,
    *,
    slice_batch: int,
    feature_scales: Sequence[int] = (),
    consecutive: int = 1,
    tick: Tick = no_tick,
) -> PlaneOutput:
    """Run a 2D network over all slices of a plane.

    Memory is constant in the number of slices but for the outputs. Each slice is computed on its own, so the
    result does not depend on ``slice_batch`` (up to rounding of the kernels a batch size selects).

    Parameters
    ----------
    network : nn.Module
        Called as ``network(x, t, label)`` and returning ``(output, features)``.
    inputs : Tensor, shape (C, D, H, W)
        x_t and the conditions.
    t : float, in [0, 1]
    slice_batch : int
        Slices a network call; rounded up to the largest of ``feature_scales`` so that pooling never straddles
        calls.
    feature_scales : sequence of int
        For each encoder level whose features are wanted, its downsampling; slices are pooled by the same
        factor.
    consecutive : int, odd
        Consecutive slices the network sees at once to predict the middle one (2.5D where above 1).
    """
    step = max([slice_batch, *feature_scales])
    step -= step % max([1, *feature_scales])
    slices = as_slices(inputs, plane)
    predictions: list[Tensor] = []
    pooled: list[list[Tensor]] = [[] for _ in feature_scales]
    for start in range(0, slices.shape[0], step):
        tick()
        batch = with_neighbours(slices, start, start + step, consecutive)
        batch = batch.contiguous(memory_format=torch.channels_last)
        times = torch.full((len(batch),), t, device=batch.device, dtype=torch.float32)
        label = torch.full((len(batch),), PLANES.index(plane), device=batch.device, dtype=torch.int64)
        output, features = network(batch, times, label)
        predictions.append(output[:, 0].float())
        for level, scale in enumerate(feature_scales):
            pooled[level].append(_pool_slices(features[level], scale))
    prediction = as_volume(torch.cat(predictions)[:, None], plane)[0]
    return PlaneOutput(prediction, tuple(as_volume(torch.cat(p), plane) for p in pooled))
