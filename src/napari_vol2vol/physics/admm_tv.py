"""Total-variation reconstruction by the alternating direction method of multipliers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.physics.conjugate_gradient import VOLUME, conjugate_gradient
from napari_vol2vol.physics.imaging_operator import normal_map
from napari_vol2vol.physics.operator import Operator
from napari_vol2vol.physics.total_variation import differences, differences_adjoint, shrink


class Dual(NamedTuple):
    """Split variable and scaled multiplier, `(axes, ..., D, H, W)`: what a warm start starts from."""

    split: Tensor
    multiplier: Tensor


@dataclass(frozen=True)
class AdmmTV:
    """Minimise ``1/2 |A x - y|^2 + weight TV(x)`` (Boyd et al. 2011, section 6; DiffusionMBIR, eq. 12 to 14).

    Parameters
    ----------
    weight : float
        Of the total variation, with ``A`` of unit norm.
    penalty : float
        Of the augmented Lagrangian; it changes the way, not the end.
    axes : tuple of int
        Along which differences are taken: all three, isotropic, or -3 alone for MBIR, which couples slices.
    steps, cg_steps : int
        Outer iterations, and steps of conjugate gradients in each.
    """

    weight: float
    penalty: float
    axes: tuple[int, ...] = VOLUME
    steps: int = 30
    cg_steps: int = 5
    cg_tolerance: float = 0.0

    def __post_init__(self) -> None:
        if self.weight < 0 or not self.penalty > 0:
            raise SettingsError(
                f"weight, penalty: found {self.weight}, {self.penalty}, accepted are a weight of 0 or more "
                "and a penalty above 0"
            )

    def start(self, x: Tensor) -> Dual:
        """Return the cold start of the dual variables for images like ``x``."""
        zero = torch.zeros(len(self.axes), *x.shape, dtype=x.dtype, device=x.device)
        return Dual(zero, zero)

    def solve(
        self, operator: Operator, b: Tensor, x: Tensor, dual: Dual | None = None
    ) -> tuple[Tensor, Dual]:
        """Return the image after ``steps`` iterations from ``x``, and the dual variables it ended with.

        Parameters
        ----------
        b : Tensor
            ``A^T y``.
        x : Tensor, shape (..., D, H, W)
        dual : Dual, optional
            Of an earlier call, for a warm start.
        """
        data, axes = normal_map(operator), self.axes
        split, multiplier = dual or self.start(x)
        spanned = tuple(range(-min(x.ndim, 4), 0))

        def matrix(v: Tensor) -> Tensor:
            return data(v) + self.penalty * differences_adjoint(differences(v, axes), axes)

        for _ in range(self.steps):
            right = b + self.penalty * differences_adjoint(split - multiplier, axes)
            x = conjugate_gradient(
                matrix, right, x, steps=self.cg_steps, tolerance=self.cg_tolerance, axes=spanned
            )
            change = differences(x, axes)
            split = shrink(change + multiplier, self.weight / self.penalty)
            multiplier = multiplier + change - split
        return x, Dual(split, multiplier)
