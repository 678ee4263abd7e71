"""Start sampling from the pseudo-inverse, with noise that changes smoothly from slice to slice."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.sampling.gradients import SLICES
from napari_vol2vol.sampling.samplers import Denoiser, Noise, Sampler, Step
from napari_vol2vol.sampling.schedules import Schedule

#: T' of DDIP: 980 of 1000.
T_START = 0.98
#: The last time that the network is asked at: step 0 of 1000 in the authors' code, after one step of noise.
T_END = 0.001


def slerp(first: Tensor, last: Tensor, share: Tensor) -> Tensor:
    """Interpolate on the sphere: ``sin((1 - u) w) / sin(w) first + sin(u w) / sin(w) last``, w their angle.

    Between two independent standard normal tensors it stays standard normal, which a straight line would not.
    Where both point the same way it is the straight line.
    """
    cosine = (first * last).sum() / (first.norm() * last.norm()).clamp(min=1e-30)
    angle = torch.acos(cosine.clamp(-1, 1))
    if float(angle.sin()) < 1e-4:
        return torch.lerp(first, last, share)
    return (((1 - share) * angle).sin() * first + (share * angle).sin() * last) / angle.sin()


def noise_between_ends(noise: Tensor) -> Tensor:
    """Return noise `(..., D, H, W)` interpolated from that of its first to that of its last slice."""
    depth = noise.shape[SLICES]
    share = torch.linspace(0, 1, depth, dtype=noise.dtype, device=noise.device)[:, None, None]
    return slerp(noise[..., :1, :, :], noise[..., -1:, :, :], share)


def times_between(steps: int, t_start: float = T_START, t_end: float = T_END, power: float = 1.0) -> Tensor:
    """Return ``steps`` times from ``t_start`` down to ``t_end``, and 0.

    With ``power`` 1 they are evenly spaced, as in DDIP: 980, 960, ..., 0 of 1000, counted from 0. Above, they
    crowd at low noise, where a fixed number of steps gains the most: ``t_end + (t_start - t_end) u^power``.

    Raises
    ------
    SettingsError
        If not ``0 < t_end <= t_start <= 1`` or the power is below 1.
    """
    if not 0 < t_start <= 1:
        raise SettingsError(f"t_start: found {t_start}, accepted are times above 0 and up to 1")
    if not 0 < t_end <= t_start:
        raise SettingsError(f"t_end: found {t_end}, accepted are times above 0 and up to t_start, {t_start}")
    if not power >= 1:
        raise SettingsError(f"power: found {power}, accepted are 1 (evenly spaced) and above")
    share = torch.linspace(1, 0, steps, dtype=torch.float64) ** power
    return torch.cat([t_end + (t_start - t_end) * share, torch.zeros(1, dtype=torch.float64)])


def from_estimate(
    sampler: Sampler,
    estimate: Tensor | Callable[[], Tensor],
    *,
    t_start: float = T_START,
    t_end: float = T_END,
    power: float = 1.0,
    interpolated: bool = True,
) -> Sampler:
    """Return the sampler that starts at ``t_start`` from a noisy estimate (DDIP, section 3.3, eq. 16).

    ``x <- alpha_T' A^+ y + sigma_T' eps``. It is called like ``sampler`` and makes of the noise it is given
    one that is interpolated between the end slices (``interpolated``), and of the times as many
    `times_between` ``t_start`` and ``t_end``.

    Parameters
    ----------
    estimate : Tensor, or callable that returns it
        ``A^+ y``: the pseudo-inverse, filtered back-projection or the zero-filled image. What a callable
        returns is not kept, which saves a volume while sampling.

    Raises
    ------
    SettingsError
        For times or a power that `times_between` refuses.
    """
    times_between(1, t_start, t_end, power)

    def run(
        denoiser: Denoiser, x: Tensor, times: Tensor, schedule: Schedule, noise: Noise, *, eta: float = 0.85
    ) -> Iterator[Step]:
        alpha, sigma = (float(v) for v in schedule(torch.tensor(t_start, dtype=torch.float64)))
        begin = torch.mul(noise_between_ends(x) if interpolated else x, sigma)
        begin.add_((estimate if isinstance(estimate, Tensor) else estimate()).to(x), alpha=alpha)
        between = times_between(len(times) - 1, t_start, t_end, power)
        steps = sampler(denoiser, begin, between, schedule, noise, eta=eta)
        del x, begin  # this frame lives as long as the run
        yield from steps

    return run
