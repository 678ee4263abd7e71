"""The Schroedinger bridge of I2SB (Liu et al. 2023) between clean (t = 0) and degraded (t = 1) volumes.

Notation: ``sigma_fwd(t)`` is the noise gathered since t = 0, ``sigma_bwd(t)`` that still to come until t = 1;
a bridge schedule is a function from t to both. The samplers take the place of those in `sampling.samplers`:
they start from the degraded volume, not from noise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache, partial
from itertools import pairwise

import torch
from torch import Tensor, nn

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.sampling.planes import Plane, Tick, apply_plane, no_tick
from napari_vol2vol.sampling.samplers import Denoiser, Noise, Sampler, Step

#: From t in [0, 1] to (sigma_fwd, sigma_bwd), of the shape of t.
BridgeSchedule = Callable[[Tensor], tuple[Tensor, Tensor]]


@lru_cache(maxsize=8)
def _variances(beta_min: float, beta_max: float, timesteps: int) -> Tensor:
    rising = torch.linspace(beta_min**0.5, beta_max**0.5, timesteps, dtype=torch.float64)[: timesteps // 2]
    betas = torch.cat([rising, rising.flip(0)]).square() / timesteps
    return torch.cat([torch.zeros(1, dtype=torch.float64), betas.cumsum(0)])


def symmetric(
    t: Tensor, *, beta_min: float = 0.1, beta_max: float = 0.3, timesteps: int = 1000
) -> tuple[Tensor, Tensor]:
    """Return (sigma_fwd, sigma_bwd) of the symmetric schedule of I2SB: beta shrinks towards both ends.

    The square root of beta grows linearly from that of ``beta_min`` towards that of ``beta_max``, which it
    would reach at t = 1; its first half is mirrored onto the second. Hence
    ``sigma_bwd(t) = sigma_fwd(1 - t)``, and both ends are pinned: ``sigma_fwd(0) = sigma_bwd(1) = 0``.

    Raises
    ------
    SettingsError
        If ``timesteps`` is not an even number of 2 or more.
    """
    if timesteps < 2 or timesteps % 2:
        raise SettingsError(f"timesteps: found {timesteps}, accepted are even numbers of 2 or more")
    table = _variances(beta_min, beta_max, int(timesteps)).to(t.device)

    def gathered(time: Tensor) -> Tensor:
        position = time.double().clamp(0, 1) * timesteps
        low = position.floor().long().clamp(max=int(timesteps) - 1)
        return torch.lerp(table[low], table[low + 1], position - low).sqrt().to(t.dtype)

    return gathered(t), gathered(1 - t.double())


_BRIDGES: dict[str, Callable[..., tuple[Tensor, Tensor]]] = {"i2sb": symmetric}


def make_bridge(name: str, parameters: Mapping[str, float] | None = None) -> BridgeSchedule:
    """Return the bridge schedule that a bundle names, with its parameters bound.

    Raises
    ------
    SettingsError
        For an unknown name or parameter.
    """
    if name not in _BRIDGES:
        raise SettingsError(f"bridge schedule: found {name!r}, accepted are {', '.join(_BRIDGES)}")
    schedule = partial(_BRIDGES[name], **dict(parameters or {}))
    try:
        schedule(torch.tensor([0.5]))
    except TypeError as error:
        raise SettingsError(f"bridge schedule {name}: {error}") from error
    return schedule


def on_bridge(x0: Tensor, x1: Tensor, noise: Tensor, sigma_fwd: Tensor, sigma_bwd: Tensor) -> Tensor:
    """Return x_t drawn from q(x_t | x_0, x_1) with standard normal ``noise`` (eq. 11).

    The mean is ``(sigma_bwd^2 x_0 + sigma_fwd^2 x_1) / sigma^2`` and the variance
    ``sigma_fwd^2 sigma_bwd^2 / sigma^2``, where ``sigma^2 = sigma_fwd^2 + sigma_bwd^2``.
    """
    total = sigma_fwd.square() + sigma_bwd.square()
    mean = (sigma_bwd.square() * x0 + sigma_fwd.square() * x1) / total
    return mean + sigma_fwd * sigma_bwd / total.sqrt() * noise


def target(x0: Tensor, x1: Tensor, noise: Tensor, sigma_fwd: Tensor, sigma_bwd: Tensor) -> Tensor:
    """Return what the network is trained to output, ``(x_t - x_0) / sigma_fwd`` (eq. 12).

    With x_t of `on_bridge` put in, the division cancels, so that it is exact down to t = 0.
    """
    total = sigma_fwd.square() + sigma_bwd.square()
    return sigma_fwd / total * (x1 - x0) + sigma_bwd / total.sqrt() * noise


def bridge_denoiser(
    network: nn.Module,
    condition: Tensor,
    plane: Plane,
    schedule: BridgeSchedule,
    *,
    slice_batch: int = 16,
    consecutive: int = 1,
    tick: Tick = no_tick,
) -> Denoiser:
    """Return the denoiser ``x_t - sigma_fwd(t) network(x_t, condition, t)`` along one plane (eq. 12).

    Parameters
    ----------
    network : nn.Module
        A 2D network as `apply_plane` calls it.
    condition : Tensor, shape (C, D, H, W)
        x_1, and further conditions, concatenated to x_t (the published ``cond_x1`` option).
    """

    def denoise(x_t: Tensor, t: float) -> Tensor:
        output = apply_plane(
            network, torch.cat([x_t[None], condition]), t, plane,
            slice_batch=slice_batch, consecutive=consecutive, tick=tick,
        )  # fmt: skip
        sigma_fwd, _ = schedule(torch.tensor(t, dtype=torch.float64))
        return x_t - float(sigma_fwd) * output.prediction

    return denoise


def _towards_clean(
    denoiser: Denoiser, x: Tensor, times: Tensor, schedule: BridgeSchedule, noise: Noise | None
) -> Iterator[Step]:
    variances = schedule(times.double())[0].square().tolist()
    for i, (now, after) in enumerate(pairwise(variances)):
        x0_hat = denoiser(x, float(times[i]))
        yield Step(float(times[i]), x, x0_hat)
        share = after / now
        x = torch.lerp(x0_hat, x, share)
        if noise is not None and after > 0:
            x = x + (after * (1 - share)) ** 0.5 * noise(i + 1)


def posterior(
    denoiser: Denoiser, x: Tensor, times: Tensor, schedule: BridgeSchedule, noise: Noise, *, eta: float = 0.0
) -> Iterator[Step]:
    """Sample the bridge backwards by the posterior of DDPM, p(x_s | x̂_0, x_t) for s < t (I2SB, algorithm 2).

    Mean ``(1 - r) x0_hat + r x_t`` and variance ``(1 - r) sigma_fwd(s)^2`` with
    ``r = sigma_fwd(s)^2 / sigma_fwd(t)^2``. Starts from ``x = x_1``; ignores ``eta``.
    """
    del eta
    return _towards_clean(denoiser, x, times, schedule, noise)


def ode(
    denoiser: Denoiser, x: Tensor, times: Tensor, schedule: BridgeSchedule, noise: Noise, *, eta: float = 0.0
) -> Iterator[Step]:
    """Follow the means of `posterior`, without noise: the OT-ODE of I2SB, the same for every seed.

    ``dx / dsigma_fwd^2 = (x - x0_hat) / sigma_fwd^2``, exact for a constant x0_hat. Ignores ``eta``.
    """
    del noise, eta
    return _towards_clean(denoiser, x, times, schedule, None)


BRIDGE_SAMPLERS: dict[str, Sampler] = {"i2sb-posterior": posterior, "i2sb-ode": ode}

__all__ = [
    "BRIDGE_SAMPLERS", "BridgeSchedule", "bridge_denoiser", "make_bridge", "ode", "on_bridge", "posterior",
    "symmetric", "target",
]  # fmt: skip
