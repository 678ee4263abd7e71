"""Consistency wrappers: `Denoiser -> Denoiser` that pull x̂0 towards the measurement."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.physics.admm_tv import AdmmTV
from napari_vol2vol.physics.imaging_operator import ImagingOperator
from napari_vol2vol.physics.operator import Operator
from napari_vol2vol.sampling.corrections import (
    NullSpace,
    OfTime,
    Proximal,
    TotalVariationAlongZ,
    given_x_t,
)
from napari_vol2vol.sampling.gradients import SLICES, by_slices, gradients, take
from napari_vol2vol.sampling.samplers import Denoiser
from napari_vol2vol.sampling.schedules import Schedule


def projected(denoiser: Denoiser, operator: Operator, y: Tensor) -> Denoiser:
    """Project every x̂0 onto ``A x = y``: ``x0 - A^+ (A x0 - y)`` (Score-Fusion, section 3.1; DDNM).

    Parameters
    ----------
    y : Tensor
        Measurement in the space the denoiser works in.
    """

    def consistent(x_t: Tensor, t: float) -> Tensor:
        x0_hat = denoiser(x_t, t)
        return x0_hat - operator.pseudo_inverse(operator(x0_hat) - y)

    return consistent


class Corrected:
    """A denoiser whose estimate is corrected by the measurement.

    What the prior said before the correction is kept until it is taken: `dds_ddim` has its noise from it.
    """

    def __init__(self, prior: Denoiser, correct: Callable[[Tensor, float], Tensor]) -> None:
        self.prior, self.correct = prior, correct
        self._prior_estimate: Tensor | None = None

    def __call__(self, x_t: Tensor, t: float) -> Tensor:
        """Return the corrected x̂0."""
        self._prior_estimate = None  # frees the last one before the next is made
        self._prior_estimate = self.prior(x_t, t)
        return self.correct(self._prior_estimate, t)

    def take_prior_estimate(self) -> Tensor:
        """Return what the prior said in the last call, once.

        Raises
        ------
        SettingsError
            If there was no call since it was last taken.
        """
        estimate, self._prior_estimate = self._prior_estimate, None
        if estimate is None:
            raise SettingsError("prior estimate: found none, accepted is one taking of it after each call")
        return estimate


def ddnm(prior: Denoiser, operator: ImagingOperator, y: Tensor, *, slice_batch: int = 16) -> Corrected:
    """Null-space projection (DDNM); see `NullSpace`.

    Exact for a white Gaussian prior and a measurement without noise. Under a prior with correlations, or with
    noise, the samples still satisfy ``A x = y``, but what A does not see is drawn towards the prior's
    regression on a noisy y: their mean is not that of the posterior.
    """
    return Corrected(prior, NullSpace(operator, y, slice_batch))


def dds(
    prior: Denoiser,
    operator: ImagingOperator,
    y: Tensor,
    *,
    gamma: OfTime = 0.0,
    steps: int = 5,
    tolerance: float = 0.0,
    slice_batch: int = 16,
) -> Corrected:
    """Decomposed diffusion sampling (DDS, Chung et al. 2024): M-step CG proximal; see `Proximal`.

    With `white_posterior_gamma`, enough steps and `ddim` it samples the exact posterior of a white Gaussian
    prior under any operator and noise. With a constant gamma the pull towards y is repeated at every step, so
    what A sees ends up near y, whatever its noise: less shrunk than the posterior mean.
    """
    return Corrected(prior, Proximal(operator, y, gamma, steps, tolerance, slice_batch))


def diffusion_mbir(prior: Denoiser, operator: ImagingOperator, y: Tensor, solver: AdmmTV) -> Corrected:
    """ADMM-TV along z from every x̂0, warm-started (DiffusionMBIR, Chung et al. 2023).

    See `TotalVariationAlongZ`; the solver's axes are (-3,).

    Total variation is no Gaussian prior, so there is no posterior it would be exact for; without weight, and
    with steps enough, it is `ddnm`.
    """
    return Corrected(prior, TotalVariationAlongZ(operator, y, solver))


def dps(
    prior: Denoiser,
    operator: ImagingOperator,
    y: Tensor,
    schedule: Schedule,
    *,
    sigma: float,
    prior_variance: float = 1.0,
    strength: float = 1.0,
    slice_batch: int = 16,
) -> Denoiser:
    """Diffusion posterior sampling (DPS, Chung et al. 2023): follow the gradient of the residual.

    ``E[x_0 | x_t, y] = x0_hat + (sigma_t^2 / alpha_t) grad_{x_t} log p(y | x_t)``, the gradient taken through
    the prior, with ``log p(y | x_t) = -|y - A x0_hat|^2 / (2 s^2)`` and ``s^2 = sigma^2 + r_t^2``, where
    ``r_t^2`` is the variance of x_0 given x_t that ``prior_variance`` stands for. Zero gives DDIP's eq. 5,
    which takes x0_hat for certain: it overshoots at high noise and diverges where sigma is small. The default
    makes a step of Landweber's iteration of it (A has unit norm), is exact for a white prior of that variance
    where ``A A^T = I``, and underestimates the pull elsewhere (Song et al. 2023, eq. 7, with its matrix
    replaced by the bound).

    Parameters
    ----------
    prior : Denoiser
        Differentiable, and working slice by slice.
    sigma : float
        Noise of y.
    strength : float
        Multiplies the gradient.
    """

    def denoise(x_t: Tensor, t: float) -> Tensor:
        alpha, noise = (float(v) for v in schedule(torch.tensor(t, dtype=torch.float64)))
        variance = sigma**2 + given_x_t(schedule, t, prior_variance)
        pull = strength * noise**2 / (max(alpha, 1e-4) * max(variance, 1e-30))

        def guided(part: slice) -> Tensor:
            with gradients():
                x = take(x_t, part).clone().requires_grad_()
                x0_hat = prior(x, t)
                residual = operator.at_slices(part)(x0_hat) - take(y, part)
                (gradient,) = torch.autograd.grad(residual.abs().square().sum() / 2, x)
            return x0_hat.detach() - pull * gradient

        return by_slices(guided, x_t, min(slice_batch, x_t.shape[SLICES]))

    return denoise
