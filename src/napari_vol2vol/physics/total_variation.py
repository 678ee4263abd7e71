"""Finite differences along the axes of a volume, and what total variation needs of them."""

from __future__ import annotations

import torch
from torch import Tensor


def differences(x: Tensor, axes: tuple[int, ...]) -> Tensor:
    """Return ``x[i + 1] - x[i]`` along each axis, stacked in front: `(len(axes), ..., D, H, W)`.

    The end is replicated, so its difference is zero; nothing wraps from the last slice to the first.
    """
    return torch.stack([x.diff(dim=a, append=x.narrow(a, x.shape[a] - 1, 1)) for a in axes])


def differences_adjoint(d: Tensor, axes: tuple[int, ...]) -> Tensor:
    """Return the adjoint of `differences`, `(..., D, H, W)`; what the end holds counts for nothing."""
    total = torch.zeros_like(d[0])
    for part, axis in zip(d, axes, strict=True):
        inner = part.narrow(axis, 0, part.shape[axis] - 1)
        edge = torch.zeros_like(part.narrow(axis, 0, 1))
        total = total + torch.cat([edge, inner], dim=axis) - torch.cat([inner, edge], dim=axis)
    return total


def shrink(d: Tensor, threshold: float) -> Tensor:
    """Shorten the vectors along the first axis by ``threshold``, to nothing where they are shorter.

    The proximal map of isotropic total variation; with one axis it is soft thresholding.
    """
    squared = d.square().sum(0, keepdim=True)
    longer = squared > threshold**2
    length = torch.where(longer, squared, 1.0).sqrt()  # keeps the gradient finite where nothing is left
    return d * torch.where(longer, 1 - threshold / length, 0.0)


def total_variation(x: Tensor, axes: tuple[int, ...]) -> Tensor:
    """Return the sum of the lengths of the differences along ``axes``."""
    return differences(x, axes).square().sum(0).sqrt().sum()
