"""Samplers: pure functions over a denoiser, each yielding every step.

Notation: ``x_t = alpha x_0 + sigma eps``; times run from 1 (noise) down to 0 (volume).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.sampling.schedules import Schedule

#: ``denoiser(x_t, t) -> x0_hat``, both `(D, H, W)`, t in [0, 1].
Denoiser = Callable[[Tensor, float], Tensor]
#: Fresh standard normal noise for the i-th step, of the shape of x_t.
Noise = Callable[[int], Tensor]


class Step(NamedTuple):
    """State after the network has looked at x_t: the time, x_t itself and the estimate x̂0."""

    t: float
    x_t: Tensor
    x0_hat: Tensor


Sampler = Callable[..., Iterator[Step]]


def _coefficients(schedule: Schedule, times: Tensor) -> list[tuple[float, float]]:
    alpha, sigma = schedule(times.double())
    return list(zip(alpha.tolist(), sigma.tolist(), strict=True))


def ddim(
    denoiser: Denoiser, x: Tensor, times: Tensor, schedule: Schedule, noise: Noise, *, eta: float = 0.0
) -> Iterator[Step]:
    """DDIM (Song et al. 2021, eq. 12): deterministic for ``eta = 0``, ancestral for ``eta = 1``."""
    levels = _coefficients(schedule, times)
    for i, ((a, s), (a_next, s_next)) in enumerate(pairwise(levels)):
        x0_hat = denoiser(x, float(times[i]))
        yield Step(float(times[i]), x, x0_hat)
        epsilon = (x - a * x0_hat) / s
        fresh = eta * (s_next / s) * max(0.0, 1 - (a / a_next) ** 2) ** 0.5 if s_next > 0 else 0.0
        x = a_next * x0_hat + (s_next**2 - fresh**2) ** 0.5 * epsilon
        if fresh > 0:
            x = x + fresh * noise(i + 1)


def ddpm(
    denoiser: Denoiser, x: Tensor, times: Tensor, schedule: Schedule, noise: Noise, *, eta: float = 1.0
) -> Iterator[Step]:
    """Ancestral sampling of DDPM (Ho et al. 2020, eq. 7) on any subset of its steps; ignores ``eta``."""
    del eta
    levels = _coefficients(schedule, times)
    for i, ((a, s), (a_next, s_next)) in enumerate(pairwise(levels)):
        x0_hat = denoiser(x, float(times[i]))
        yield Step(float(times[i]), x, x0_hat)
        ratio = a / a_next
        step_variance = max(0.0, s**2 - (ratio * s_next) ** 2)  # of q(x_t | x_next)
        mean = (ratio * s_next**2 / s**2) * x + (a_next * step_variance / s**2) * x0_hat
        x = mean + (s_next**2 * step_variance / s**2) ** 0.5 * noise(i + 1)


def dpmpp_2m(
    denoiser: Denoiser, x: Tensor, times: Tensor, schedule: Schedule, noise: Noise, *, eta: float = 0.0
) -> Iterator[Step]:
    """DPM-Solver++(2M) (Lu et al. 2022, algorithm 2): deterministic, second order in log-SNR."""
    del noise, eta
    levels = _coefficients(schedule, times)
    previous: Tensor | None = None
    h_last = 0.0
    for i, ((a, s), (a_next, s_next)) in enumerate(pairwise(levels)):
        x0_hat = denoiser(x, float(times[i]))
        yield Step(float(times[i]), x, x0_hat)
        if s_next == 0:
            return
        ratio = (s_next * a) / (s * a_next)  # exp(-h), h the step in log(alpha / sigma)
        h = float("inf") if ratio == 0 else -torch.tensor(ratio, dtype=torch.float64).log().item()
        direction = x0_hat
        if previous is not None and h_last != float("inf"):
            direction = x0_hat + (h / h_last / 2) * (x0_hat - previous)
        x = (s_next / s) * x + a_next * (1 - ratio) * direction
        previous, h_last = x0_hat, h


SAMPLERS: dict[str, Sampler] = {"ddim": ddim, "ddpm": ddpm, "dpmpp_2m": dpmpp_2m}


def get_sampler(name: str) -> Sampler:
    """Return a sampler by name, or raise `SettingsError` naming those that exist."""
    if name not in SAMPLERS:
        raise SettingsError(f"solver: found {name!r}, accepted are {', '.join(SAMPLERS)}")
    return SAMPLERS[name]


__all__ = ["SAMPLERS", "Denoiser", "Noise", "Sampler", "Step", "ddim", "ddpm", "dpmpp_2m", "get_sampler"]
