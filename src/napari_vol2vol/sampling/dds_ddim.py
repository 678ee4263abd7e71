"""The DDIM update of DDS and DDIP, which takes its noise from the prior."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor

from napari_vol2vol.sampling.consistency import Corrected
from napari_vol2vol.sampling.samplers import Denoiser, Noise, Step
from napari_vol2vol.sampling.schedules import Schedule


def dds_ddim(
    denoiser: Denoiser, x: Tensor, times: Tensor, schedule: Schedule, noise: Noise, *, eta: float = 0.85
) -> Iterator[Step]:
    """DDIM with fresh noise of ``eta`` of the whole noise at each step (DDS, algorithm 1; DDIP, eq. 7).

    ``x <- alpha' x0_hat + sigma' (eta eps + sqrt(1 - eta^2) eps_theta)``. Two things differ from
    `samplers.ddim`: there ``eta`` = 1 is DDPM, whose share of fresh noise depends on the step and is
    smaller; and eps_theta belongs here to the estimate *before* the correction by the measurement, where the
    denoiser is `Corrected`. DDIP prints ``1 - eta`` for ``sqrt(1 - eta^2)``, which would not keep the
    variance; its code has the root.

    It keeps the mean, but more fresh noise than DDPM has loses variance: with many steps a white prior is
    left with ``(1 + sqrt(1 - eta^2)) / 2`` of it, three quarters at 0.85.
    """
    alphas, sigmas = (v.tolist() for v in schedule(times.double()))
    for i, ((a, s), (a_next, s_next)) in enumerate(pairwise(zip(alphas, sigmas, strict=True))):
        x0_hat = denoiser(x, float(times[i]))
        yield Step(float(times[i]), x, x0_hat)
        if isinstance(denoiser, Corrected):  # its estimate is ours now: no further volume
            epsilon = denoiser.take_prior_estimate().mul_(-a).add_(x).div_(s)
        else:
            epsilon = torch.sub(x, x0_hat, alpha=a).div_(s)
        x = epsilon.mul_(s_next * (1 - eta**2) ** 0.5).add_(x0_hat, alpha=a_next)
        del x0_hat, epsilon
        if s_next > 0 and eta > 0:
            x.add_(noise(i + 1), alpha=s_next * eta)
