"""Total-variation reconstruction by the alternating direction method of multipliers."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.physics.conjugate_gradient import VOLUME, conjugate_gradient
from napari_vol2vol.physics.imaging_operator import normal_map
from napari_vol2vol.physics.operator import Operator
from napari_vol2vol.physics.total_variation import differences, differences_adjoint, shrink


@dataclass(frozen=True)
class AdmmTV:
    """Minimise ``1/2 |A x - y|^2 + weight TV(x)`` (Boyd et al. 2011, section 6; DiffusionMBIR, eq. 12 to 14).

    With ``nonnegative`` over all ``x >= 0`` (section 5): x itself is split too, and what is returned has
    nothing below 0 wherever the iterations are broken off.

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
    nonnegative: bool = False

    def __post_init__(self) -> None:
        if self.weight < 0 or not self.penalty > 0:
            raise SettingsError(
                f"weight, penalty: found {self.weight}, {self.penalty}, accepted are a weight of 0 or more "
                "and a penalty above 0"
            )

    def solve(
        self,
        operator: Operator,
        b: Tensor,
        x: Tensor,
        multiplier: Tensor | None = None,
        pull: float = 0.0,
    ) -> tuple[Tensor, Tensor]:
        """Return the image after ``steps`` iterations from ``x``, and the multiplier it ended with.

        The differences are split first, so image and multiplier are all there is to go on from: a call that
        starts from what another returned goes on with it.

        Parameters
        ----------
        b : Tensor
            ``A^T y``.
        x : Tensor, shape (..., D, H, W)
        multiplier : Tensor, shape (len(axes) + nonnegative, ..., D, H, W), optional
            Scaled; of an earlier call, for a warm start. Zero at first.
        pull : float
            gamma of a further term ``gamma/2 |x - x_start|^2``, x_start the ``x`` given.
        """
        b = b + pull * x if pull else b
        data, spanned = normal_map(operator), tuple(range(-min(x.ndim, 4), 0))
        change = self._split(x)
        u = torch.zeros_like(change) if multiplier is None else multiplier

        def matrix(v: Tensor) -> Tensor:
            v_data = data(v) + pull * v if pull else data(v)
            return v_data + self.penalty * self._split_adjoint(self._split(v))

        for _ in range(self.steps):
            nearest = self._nearest(change + u)
            right = b + self.penalty * self._split_adjoint(nearest - u)
            x = conjugate_gradient(
                matrix, right, x, steps=self.cg_steps, tolerance=self.cg_tolerance, axes=spanned
            )
            change = self._split(x)
            u = u + change - nearest
        return x.clamp(min=0) if self.nonnegative else x, u

    def _split(self, x: Tensor) -> Tensor:
        """Return the differences of an image, and the image where it must not be negative."""
        change = differences(x, self.axes)
        return torch.cat([change, x[None]]) if self.nonnegative else change

    def _split_adjoint(self, d: Tensor) -> Tensor:
        if not self.nonnegative:
            return differences_adjoint(d, self.axes)
        return differences_adjoint(d[:-1], self.axes) + d[-1]

    def _nearest(self, d: Tensor) -> Tensor:
        """Return the proximal map of both: shrunk differences, and what is not negative."""
        threshold = self.weight / self.penalty
        if not self.nonnegative:
            return shrink(d, threshold)
        return torch.cat([shrink(d[:-1], threshold), d[-1:].clamp(min=0)])
