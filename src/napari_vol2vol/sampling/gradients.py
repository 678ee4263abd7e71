"""Gradients inside a run, which otherwise keeps none; slices a few at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

#: The axis of slices, of images and measurements alike.
SLICES = -3


@contextmanager
def gradients() -> Iterator[None]:
    """Record gradients although the run is in inference mode; clone tensors of the run inside before use."""
    with torch.inference_mode(False), torch.enable_grad():
        yield


def take(x: Tensor, index: Tensor | slice) -> Tensor:
    """Return slices ``x[..., index, :, :]``."""
    return x[..., index, :, :]


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
