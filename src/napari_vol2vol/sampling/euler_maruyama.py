"""Samplers of the reverse SDE of a variance-exploding process (Song et al. 2021; MIDiffusion, algorithm 1).

``score = (x0_hat - x) / sigma^2``, and ``epsilon = sigma_i^2 - sigma_{i+1}^2`` is the variance that a step
takes away. They start from ``x = x_0 + sigma(t_0) z``; `warm_start.from_estimate` makes that.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.sampling.samplers import Denoiser, Noise, Sampler, Step
from napari_vol2vol.sampling.schedules import Schedule


def _sigmas(schedule: Schedule, times: Tensor) -> list[float]:
    alpha, sigma = schedule(times.double())
    if not torch.all(alpha == 1):
        raise SettingsError(
            "schedule: found one that shrinks the image, euler-maruyama accepts a variance-exploding one (ve)"
        )
    return list(sigma.tolist())


def euler_maruyama(
    denoiser: Denoiser, x: Tensor, times: Tensor, schedule: Schedule, noise: Noise, *, eta: float = 1.0
) -> Iterator[Step]:
    """Discretise the reverse SDE: ``x <- x + epsilon score + sqrt(epsilon) z`` (algorithm 1).

    First order: each step leaves a little more noise than its time has, so it wants many of them; `ddpm` of
    the same schedule is exact for a constant x0_hat. Ignores ``eta``.

    Raises
    ------
    SettingsError
        If the schedule is not variance exploding.
    """
    del eta
    for i, (now, after) in enumerate(pairwise(_sigmas(schedule, times))):
        x0_hat = denoiser(x, float(times[i]))
        yield Step(float(times[i]), x, x0_hat)
        epsilon = now**2 - after**2
        x = x + (epsilon / now**2) * (x0_hat - x) + epsilon**0.5 * noise(i + 1)


def predictor_corrector(corrections: int = 1, snr: float = 0.16) -> Sampler:
    """Return `euler_maruyama` with steps of Langevin dynamics after each of its own (Song et al., alg. 2).

    A correction moves by ``2 (snr |z| / |score|)^2`` along the score at the noise that was reached, and adds
    the noise that belongs to it. Every correction costs one more call of the denoiser.

    Parameters
    ----------
    corrections : int
        Steps of Langevin dynamics after each step.
    snr : float
        The size of such a step; 0.16 is the paper's.
    """

    def sample(
        denoiser: Denoiser, x: Tensor, times: Tensor, schedule: Schedule, noise: Noise, *, eta: float = 1.0
    ) -> Iterator[Step]:
        del eta
        sigmas, stride = _sigmas(schedule, times), 1 + corrections
        last = len(sigmas) - 2
        for i, (now, after) in enumerate(pairwise(sigmas)):
            x0_hat = denoiser(x, float(times[i]))
            yield Step(float(times[i]), x, x0_hat)
            if i == last:  # nobody looks at what would be corrected
                return
            epsilon = now**2 - after**2
            x = x + (epsilon / now**2) * (x0_hat - x) + epsilon**0.5 * noise(stride * i + 1)
            for k in range(corrections):
                x = _langevin(denoiser, x, float(times[i + 1]), after, noise(stride * i + 2 + k), snr)

    return sample


def _langevin(denoiser: Denoiser, x: Tensor, t: float, sigma: float, z: Tensor, snr: float) -> Tensor:
    score = (denoiser(x, t) - x) / sigma**2
    size = 2 * (snr * float(z.norm()) / max(float(score.norm()), 1e-30)) ** 2
    moved: Tensor = x + size * score + (2 * size) ** 0.5 * z
    return moved


__all__ = ["euler_maruyama", "predictor_corrector"]
