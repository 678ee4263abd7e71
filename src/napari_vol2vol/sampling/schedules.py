"""Noise schedules: functions from t in [0, 1] to (alpha, sigma) of ``x_t = alpha x_0 + sigma eps``."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import lru_cache, partial

import torch
from torch import Tensor

from napari_vol2vol.errors import SettingsError

Schedule = Callable[[Tensor], tuple[Tensor, Tensor]]


@lru_cache(maxsize=8)
def _log_alpha_bar(beta_start: float, beta_end: float, timesteps: int) -> Tensor:
    betas = torch.linspace(beta_start, beta_end, timesteps, dtype=torch.float64)
    log_alpha_bar = torch.log1p(-betas).cumsum(0)
    return torch.cat([torch.zeros(1, dtype=torch.float64), log_alpha_bar])


def vp_linear(
    t: Tensor, *, beta_start: float = 1e-4, beta_end: float = 0.02, timesteps: int = 1000
) -> tuple[Tensor, Tensor]:
    """Variance-preserving schedule with linear betas (DDPM; Score-Fusion, table 9).

    ``t = i / timesteps`` gives exactly ``alpha_bar_i = prod(1 - beta)``; between them log alpha_bar is
    linear.

    Returns
    -------
    alpha, sigma : Tensor, shape of ``t``, with ``alpha^2 + sigma^2 = 1``
    """
    table = _log_alpha_bar(beta_start, beta_end, timesteps).to(t.device)
    position = t.double().clamp(0, 1) * timesteps
    low = position.floor().long().clamp(max=timesteps - 1)
    log_alpha_bar = torch.lerp(table[low], table[low + 1], position - low)
    alpha_bar = log_alpha_bar.exp()
    sigma = (-torch.expm1(log_alpha_bar)).clamp(min=0).sqrt()
    return alpha_bar.sqrt().to(t.dtype), sigma.to(t.dtype)


def vp_cosine(t: Tensor) -> tuple[Tensor, Tensor]:
    """Variance-preserving schedule ``alpha = cos(pi t / 2)`` (Nichol and Dhariwal 2021, without offset)."""
    angle = t.double().clamp(0, 1) * (math.pi / 2)
    return angle.cos().to(t.dtype), angle.sin().to(t.dtype)


def ve(t: Tensor, *, sigma_min: float = 0.02, sigma_max: float = 30.0) -> tuple[Tensor, Tensor]:
    """Variance-exploding schedule: ``alpha = 1``, sigma geometric in t (Song et al. 2021, appendix C).

    ``sigma_max`` is in units of the diffused variable, which has unit variance.
    """
    sigma = sigma_min * (sigma_max / sigma_min) ** t.double().clamp(0, 1)
    return torch.ones_like(t), sigma.to(t.dtype)


def variance_preserving(alpha: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return (alpha', sigma', r): ``x_t / r`` has the coefficients of a variance-preserving process.

    ``r = sqrt(alpha^2 + sigma^2)``: what a network is shown of x_t, and what its prediction refers to, so
    that both have unit variance at every time (the preconditioning of Karras et al. 2022).
    """
    norm = (alpha.square() + sigma.square()).sqrt()
    return alpha / norm, sigma / norm, norm


_SCHEDULES: dict[str, Callable[..., tuple[Tensor, Tensor]]] = {
    "vp_linear": vp_linear,
    "vp_cosine": vp_cosine,
    "ve": ve,
}


def make_schedule(name: str, parameters: Mapping[str, float] | None = None) -> Schedule:
    """Return the schedule a bundle names, with its parameters bound.

    Raises
    ------
    SettingsError
        For an unknown name or parameter.
    """
    if name not in _SCHEDULES:
        raise SettingsError(f"schedule: found {name!r}, accepted are {', '.join(_SCHEDULES)}")
    schedule = partial(_SCHEDULES[name], **dict(parameters or {}))
    try:
        schedule(torch.tensor([0.5]))
    except TypeError as error:
        raise SettingsError(f"schedule {name}: {error}") from error
    return schedule


def time_of_noise(schedule: Schedule, ratio: float) -> float:
    """Return the t at which ``sigma / alpha`` is ``ratio``, by bisection (it grows with t)."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        alpha, sigma = schedule(torch.tensor(middle, dtype=torch.float64))
        low, high = (middle, high) if float(sigma) < ratio * float(alpha) else (low, middle)
    return high


def timesteps(steps: int, t_start: float = 1.0) -> Tensor:
    """Return ``steps + 1`` times from ``t_start`` down to 0, evenly spaced."""
    return torch.linspace(t_start, 0.0, steps + 1, dtype=torch.float64)
