"""The norm of a linear map by Lanczos iteration."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from napari_vol2vol.physics.conjugate_gradient import VOLUME


def largest_eigenvalue(
    matrix: Callable[[Tensor], Tensor],
    shape: Sequence[int],
    *,
    axes: tuple[int, ...] = VOLUME,
    steps: int = 60,
    tolerance: float = 1e-9,
) -> float:
    """Return the largest eigenvalue of a symmetric positive semi-definite map of tensors of ``shape``.

    Lanczos iteration (Golub and Van Loan, 10.1) from seeded noise in float64 on the CPU, on all systems at
    once: as in `conjugate_gradient` the axes beside ``axes`` number independent ones. Without
    orthogonalisation eigenvalues may repeat, but the largest one found stays right. It ends when that one
    grows by less than ``tolerance`` of itself, or after ``steps``.
    """
    v = torch.randn(tuple(shape), generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def norm(u: Tensor) -> Tensor:
        return u.square().sum(axes, keepdim=True).sqrt()

    v, before, beta = v / norm(v), torch.zeros_like(v), torch.zeros_like(norm(v))
    diagonal: list[Tensor] = []
    beside: list[Tensor] = []
    largest = 0.0
    for _ in range(steps):
        w = matrix(v) - beta * before
        alpha = (w * v).sum(axes, keepdim=True)
        w = w - alpha * v
        diagonal.append(alpha.flatten())
        found = _top(diagonal, beside)
        beta = norm(w)
        if found - largest <= tolerance * found or float(beta.max()) <= tolerance * found:
            return found
        largest = found
        beside.append(beta.flatten())
        before, v = v, torch.where(beta > 1e-12 * found, w / beta.clamp(min=1e-300), 0.0)
    return largest


def _top(diagonal: list[Tensor], beside: list[Tensor]) -> float:
    matrix = torch.diag_embed(torch.stack(diagonal, -1))
    if beside:
        off = torch.stack(beside, -1)
        matrix += torch.diag_embed(off, 1) + torch.diag_embed(off, -1)
    return float(torch.linalg.eigvalsh(matrix)[..., -1].max())
