"""Conjugate gradients on many systems at once, each with its own step sizes and its own end."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

#: The axes of `(D, H, W)` that one linear system spans: each slice on its own, or the whole volume.
SLICE: tuple[int, ...] = (-2, -1)
VOLUME: tuple[int, ...] = (-3, -2, -1)


def conjugate_gradient(
    matrix: Callable[[Tensor], Tensor],
    b: Tensor,
    x: Tensor,
    *,
    steps: int,
    tolerance: float = 0.0,
    axes: tuple[int, ...] = VOLUME,
) -> Tensor:
    """Return x after at most ``steps`` steps towards ``matrix(x) = b`` (Hestenes and Stiefel 1952).

    All axes but ``axes`` number independent systems. Inner products never mix them, so a slice ends up the
    same whatever lies beside it, and a system that has converged stays as it is while the others go on.
    Differentiable in ``b`` and ``x`` through the steps.

    Parameters
    ----------
    matrix : callable
        Symmetric positive semi-definite; ``b`` must lie in its range.
    b, x : Tensor, shape (..., D, H, W), real
        Right-hand side and start.
    tolerance : float
        A system has converged where ``|b - matrix(x)| <= tolerance |b|``, at the latest at rounding.
    axes : tuple of int
        Negative axes that one system spans: `SLICE`, `VOLUME`, or these and the channel axis -4.
    """

    def dot(u: Tensor, v: Tensor) -> Tensor:
        return (u * v).sum(axes, keepdim=True)

    residual = b - matrix(x)
    direction, squared = residual, dot(residual, residual)
    # beyond, a singular matrix would blow up what rounding left outside its range
    tolerance = max(tolerance, 10 * torch.finfo(b.dtype).eps)
    limit = tolerance**2 * dot(b, b).detach()
    for _ in range(steps):
        active = squared.detach() > limit
        if not active.any():
            break
        image = matrix(direction)
        curvature = dot(direction, image)
        active = active & (curvature.detach() > 0)
        step = torch.where(active, squared / torch.where(active, curvature, 1.0), 0.0)
        x = torch.addcmul(x, step, direction)
        residual = torch.addcmul(residual, step, image, value=-1)
        last, squared = squared, dot(residual, residual)
        ratio = torch.where(active, squared / torch.where(active, last, 1.0), 0.0)
        direction = torch.addcmul(residual, ratio, direction)
    return x
