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
    """Prediction `(D, H, W)` of a plane model; pooled features `(F, D / s, H / s, W / s)` per level.

    The features lie channels-last in memory, as the 3D network reads them.
    """

    prediction: Tensor
    features: tuple[Tensor, ...] = ()


def joined(features: Sequence[Tensor]) -> Tensor:
    """Concatenate features `(F, D, H, W)` of several models along F, channels-last in memory."""
    return torch.cat([f.permute(1, 2, 3, 0) for f in features], dim=-1).permute(3, 0, 1, 2)


class _Pooled:
    """Collects the features of one level: averages of ``scale`` neighbouring slices, channels-last."""

    def __init__(self, plane: Plane, scale: int) -> None:
        self._axis, self._scale = PLANES.index(plane), scale
        self._volume: Tensor | None = None

    def add(self, features: Tensor, first: int, slices: int) -> None:
        """Put in features `(S, F, h, w)` of the slices from ``first`` on, of ``slices`` in all."""
        s, f, h, w = features.shape
        with torch.autocast(features.device.type, enabled=False):  # autocast would average in float32 copies
            means = features.reshape(s // self._scale, self._scale, f, h, w).mean(1)
        if self._volume is None:
            shape = [h, w]
            shape.insert(self._axis, slices // self._scale)
            self._volume = means.new_empty((*shape, f))
        where = slice(first // self._scale, first // self._scale + len(means))
        self._volume.movedim(self._axis, 0)[where] = means.permute(0, 2, 3, 1)

    @property
    def volume(self) -> Tensor:
        """The features `(F, D, H, W)`."""
        assert self._volume is not None
        return self._volume.permute(3, 0, 1, 2)


def apply_plane(
    network: nn.Module,
    inputs: Tensor,
    t: float,
    plane: Plane,
    *,
    slice_batch: int,
    feature_scales: Sequence[int] = (),
    consecutive: int = 1,
    beside: Tensor | None = None,
    beside_slices: int = 1,
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
    beside : Tensor, shape (C', D, H, W), optional
        Volumes of which the network sees ``beside_slices`` (odd) consecutive slices, behind the inputs.
    """
    step = max([slice_batch, *feature_scales])
    step -= step % max([1, *feature_scales])
    slices = as_slices(inputs, plane)
    predictions: list[Tensor] = []
    pooled = [_Pooled(plane, scale) for scale in feature_scales]
    for start in range(0, slices.shape[0], step):
        tick()
        batch = with_neighbours(slices, start, start + step, consecutive)
        if beside is not None:
            others = with_neighbours(as_slices(beside, plane), start, start + step, beside_slices)
            batch = torch.cat([batch, others], dim=1)
        batch = batch.contiguous(memory_format=torch.channels_last)
        times = torch.full((len(batch),), t, device=batch.device, dtype=torch.float32)
        label = torch.full((len(batch),), PLANES.index(plane), device=batch.device, dtype=torch.int64)
        output, features = network(batch, times, label)
        predictions.append(output[:, 0].float())
        for level, found in zip(pooled, features, strict=False):
            level.add(found, start, slices.shape[0])
    prediction = as_volume(torch.cat(predictions)[:, None], plane)[0]
    return PlaneOutput(prediction, tuple(level.volume for level in pooled))
