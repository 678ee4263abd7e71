"""Gradients inside a run, which otherwise keeps none; slices a few at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

#: The axis of slices, of images and measurements alike.
SLICES = -3


@contextmanager
def gradients() -> Iterator[None]:
    """Record gradients although the run is in inference mode; clone tensors of the run inside before use."""
    with torch.inference_mode(False), torch.enable_grad():
        yield


@dataclass(frozen=True, eq=False)
class Scaled:
    """``factor * values``, of which only the slices at work are ever made: a measurement in another scale."""

    values: Tensor
    factor: float

    def to(self, device: torch.device | str) -> Scaled:
        """Return the same on a device."""
        return Scaled(self.values.to(device), self.factor)


def scaled(x: Tensor | Scaled, factor: float) -> Scaled:
    """Return ``factor * x``, not made yet."""
    return Scaled(x.values, x.factor * factor) if isinstance(x, Scaled) else Scaled(x, factor)


def take(x: Tensor | Scaled, index: Tensor | slice) -> Tensor:
    """Return slices ``x[..., index, :, :]``."""
    return x.values[..., index, :, :] * x.factor if isinstance(x, Scaled) else x[..., index, :, :]


def whole(x: Tensor | Scaled) -> Tensor:
    """Return all slices."""
    return x.values * x.factor if isinstance(x, Scaled) else x


def by_slices(function: Callable[[slice], Tensor], x: Tensor, batch: int) -> Tensor:
    """Put together ``function(slices)`` for batches of slices of ``x``; the result is as large as ``x``."""
    depth = x.shape[SLICES]
    if depth <= batch:
        return function(slice(0, depth))
    out = torch.empty_like(x)
    for start in range(0, depth, batch):
        part = slice(start, min(start + batch, depth))
        out[..., part, :, :] = function(part)
    return out
