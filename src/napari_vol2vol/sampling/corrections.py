"""Corrections pull x̂0 towards the measurement: from ``E[x_0 | x_t]`` to an estimate of ``E[x_0 | x_t, y]``.

Each knows its operator and measurement, works without a network, is differentiable, and can be restricted to
some slices, so that the adaptation can put it into its loss. `sampling.consistency` makes denoisers of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Protocol, Self

import torch
from torch import Tensor

from napari_vol2vol.physics.admm_tv import AdmmTV
from napari_vol2vol.physics.conjugate_gradient import conjugate_gradient
from napari_vol2vol.physics.imaging_operator import ImagingOperator
from napari_vol2vol.sampling.gradients import SLICES, Scaled, by_slices, take, whole
from napari_vol2vol.sampling.schedules import Schedule

#: A number, or a function of the time t in [0, 1].
OfTime = float | Callable[[float], float]


class Correction(Protocol):
    """``correction(x0_hat, t)`` returns the corrected estimate, of the same shape."""

    @property
    def operator(self) -> ImagingOperator:
        """The measurement operator A."""
        ...

    @property
    def y(self) -> Tensor | Scaled:
        """What was measured, in the space the denoiser works in."""
        ...

    def __call__(self, x0_hat: Tensor, t: float) -> Tensor:
        """Return the estimate of ``E[x_0 | x_t, y]``."""
        ...

    def at_slices(self, index: Tensor | slice) -> Self:
        """Return the correction of some of the slices."""
        ...


@dataclass(frozen=True, eq=False)
class NullSpace:
    """``x0_hat + A^+ (y - A x0_hat)``: what A sees is replaced, the rest stays (DDNM, Wang et al. 2023).

    The operator's own pseudo-inverse is used, which is closed or ends at the operator's tolerance.
    """

    operator: ImagingOperator
    y: Tensor | Scaled
    slice_batch: int = 16

    def __call__(self, x0_hat: Tensor, t: float) -> Tensor:
        """Return the projection onto ``A x = y``, nearest to ``x0_hat``."""
        del t

        def project(part: slice) -> Tensor:
            own, x = _at(self.operator, part, x0_hat), take(x0_hat, part)
            return x + own.pseudo_inverse(take(self.y, part) - own(x))

        return by_slices(project, x0_hat, _batch(self.operator, self.slice_batch, x0_hat))

    def at_slices(self, index: Tensor | slice) -> Self:
        """Return the correction of some of the slices."""
        return replace(self, operator=self.operator.at_slices(index), y=take(self.y, index))


@dataclass(frozen=True, eq=False)
class Proximal:
    """``argmin 1/2 |y - A x|^2 + gamma/2 |x - x0_hat|^2`` by ``steps`` of CG from x0_hat (DDS; DDIP, eq. 6).

    Each slice (each volume, where the operator mixes slices) has its own step sizes and stops on its own.
    ``A`` has unit norm. The authors' code has ``gamma`` 0 for CT, where stopping early is what keeps x near
    x0_hat, and 1/5 for MRI. `white_posterior_gamma` gives the exact posterior of a white prior.
    """

    operator: ImagingOperator
    y: Tensor | Scaled
    gamma: OfTime = 0.0
    steps: int = 5
    tolerance: float = 0.0
    slice_batch: int = 16

    def __call__(self, x0_hat: Tensor, t: float) -> Tensor:
        """Return the proximal point, as far as ``steps`` go."""
        gamma = self.gamma(t) if callable(self.gamma) else self.gamma

        def solve(part: slice) -> Tensor:
            own, x = _at(self.operator, part, x0_hat), take(x0_hat, part)
            b = own.adjoint(take(self.y, part))  # not kept: it is as large as the volume
            return conjugate_gradient(
                lambda v: own.normal(v) + gamma * v, b + gamma * x, x,
                steps=self.steps, tolerance=self.tolerance, axes=self.operator.system_axes,
            )  # fmt: skip

        return by_slices(solve, x0_hat, _batch(self.operator, self.slice_batch, x0_hat))

    def at_slices(self, index: Tensor | slice) -> Self:
        """Return the correction of some of the slices."""
        return replace(self, operator=self.operator.at_slices(index), y=take(self.y, index))


@dataclass(eq=False)
class TotalVariationAlongZ:
    """``argmin 1/2 |y - A x|^2 + weight |D_z x|_1`` by ADMM from x0_hat (DiffusionMBIR; DDIP, eq. 14).

    The multiplier is carried from one sampling step to the next and forgotten where t rises, which is where
    another sample begins. The ends along z are replicated. ``loss_steps`` are the iterations inside the
    loss of an adaptation, where it is not those of the solver (the authors' code has 1). ``gamma`` adds the
    term of `Proximal`, which the paper has not: without it noise is fitted that the prior would not make.
    """

    operator: ImagingOperator
    y: Tensor | Scaled
    solver: AdmmTV
    loss_steps: int | None = None
    gamma: OfTime = 0.0
    multiplier: Tensor | None = field(default=None, repr=False)
    last_t: float = field(default=float("inf"), repr=False)

    @cached_property
    def back_projected(self) -> Tensor:
        """``A^T y``."""
        with torch.inference_mode(False):
            return self.operator.adjoint(whole(self.y))

    def __call__(self, x0_hat: Tensor, t: float) -> Tensor:
        """Return the image after the solver's iterations, and remember the multiplier."""
        if t >= self.last_t:
            self.multiplier = None
        pull = self.gamma(t) if callable(self.gamma) else self.gamma
        x, multiplier = self.solver.solve(self.operator, self.back_projected, x0_hat, self.multiplier, pull)
        self.multiplier, self.last_t = multiplier.detach(), t
        return x

    def at_slices(self, index: Tensor | slice) -> Self:
        """Return the correction of neighbouring slices, which starts from the multiplier between them."""
        multiplier = None
        if self.multiplier is not None:
            multiplier = take(self.multiplier, index).clone()
            multiplier[: len(self.solver.axes), ..., -1, :, :] = 0  # nothing lies beyond the last slice
        solver = replace(self.solver, steps=self.loss_steps or self.solver.steps)
        operator, y = self.operator.at_slices(index), take(self.y, index)
        part = replace(self, operator=operator, y=y, solver=solver, multiplier=multiplier)
        part.__dict__["back_projected"] = take(self.back_projected, index)
        return part


def white_posterior_gamma(
    schedule: Schedule, sigma: float, variance: float = 1.0
) -> Callable[[float], float]:
    """Return the gamma of `Proximal` that makes it exact for a white Gaussian prior: ``sigma^2 / r_t^2``.

    ``sigma`` is the noise of the measurement; ``r_t^2 = v sigma_t^2 / (alpha_t^2 v + sigma_t^2)`` the
    variance of x_0 given x_t under a prior of variance v.
    """
    return lambda t: sigma**2 / max(given_x_t(schedule, t, variance), 1e-30)


def given_x_t(schedule: Schedule, t: float, variance: float) -> float:
    """Return the variance of x_0 given x_t under a white Gaussian prior."""
    alpha, noise = (float(v) for v in schedule(torch.tensor(t, dtype=torch.float64)))
    return variance * noise**2 / (alpha**2 * variance + noise**2)


def _at(operator: ImagingOperator, part: slice, x: Tensor) -> ImagingOperator:
    """Return the operator of a part of the slices of ``x``, itself for all of them."""
    return operator if part == slice(0, x.shape[SLICES]) else operator.at_slices(part)


def _batch(operator: ImagingOperator, slice_batch: int, x: Tensor) -> int:
    """Return how many slices are corrected at once: all where the operator mixes them."""
    return x.shape[SLICES] if SLICES in operator.system_axes else slice_batch
