"""The denoiser of MIDiffusion: a 2D network told how much a source says of x_t, position by position.

The map is ``LMI(G; G, x_t)`` of every slice (2D, as in the paper), over the largest value it can have: from
0 to 1. x_t is shown, and measured, at unit variance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

import torch
from torch import Tensor, nn

from napari_vol2vol.networks.local_mutual_information import LocalMutualInformation, WindowSettings
from napari_vol2vol.sampling.branches import Diffused
from napari_vol2vol.sampling.denoisers import Tap, no_tap
from napari_vol2vol.sampling.planes import Plane, Tick, apply_plane, as_slices, as_volume, no_tick
from napari_vol2vol.sampling.predictions import to_x0
from napari_vol2vol.sampling.samplers import Denoiser
from napari_vol2vol.sampling.schedules import Schedule, variance_preserving

#: Levels reach over model space for the source, and over so many standard deviations of x_t.
SOURCE_RANGE, NOISY_RANGE = (-1.0, 1.0), (-2.0, 2.0)
#: A head's map has a mean and a spread of about 0.03: a network is shown it times this, of order one.
GAIN = 20.0
#: What a network sees in place of the map where there is none; a map is 0 or more.
NO_MAP = -1.0
#: Times among which that of a share of information is looked for, and slices that are measured.
CANDIDATES, MEASURED = 33, 8


def guiding_layer(settings: WindowSettings) -> LocalMutualInformation:
    """Return the layer that training and sampling share."""
    return LocalMutualInformation(settings, SOURCE_RANGE, NOISY_RANGE)


@dataclass(frozen=True)
class Guide:
    """A source `(D, H, W)` in model space and the layer that holds it against x_t."""

    source: Tensor
    layer: LocalMutualInformation
    slice_batch: int = 16
    tick: Tick = no_tick

    def along(self, plane: Plane, noisy: Tensor) -> Tensor:
        """Return the map `(D, H, W)`, 0 to 1, of the slices of a plane; ``noisy`` has unit variance."""
        given, held = (as_slices(v[None], plane)[:, 0] for v in (self.source, noisy))
        parts = []
        for start in range(0, len(given), self.slice_batch):
            self.tick()
            where = slice(start, start + self.slice_batch)
            parts.append(self.layer(given[where], held[where].to(given.dtype)))
        return as_volume(torch.cat(parts)[:, None] / self.layer.largest, plane)[0]


def guided_denoiser(
    network: nn.Module,
    plane: Plane,
    diffused: Diffused,
    guide: Guide | None,
    *,
    strength: float = 1.0,
    slice_batch: int = 16,
    tick: Tick = no_tick,
    tap: Tap = no_tap,
) -> Denoiser:
    """Return the denoiser of one plane (eq. 13); without a guide it is that of the target alone (SDEdit).

    Parameters
    ----------
    network : nn.Module
        A 2D network as `apply_plane` calls it, over x_t and the map.
    strength : float
        1 follows the guided estimate, 0 the unguided one, more goes beyond (classifier-free guidance, Ho and
        Salimans 2022: ``x0_hat = unguided + strength (guided - unguided)``); other than 0 and 1 cost a second
        call.
    tap : callable
        Receives the map as ``"LMI <plane>"``.
    """

    def denoise(x_t: Tensor, t: float) -> Tensor:
        alpha, sigma, norm = variance_preserving(*diffused.coefficients(t, x_t))
        noisy = x_t / norm

        def estimate(told: Tensor) -> Tensor:
            inputs = torch.stack([noisy, told])
            output = apply_plane(network, inputs, t, plane, slice_batch=slice_batch, tick=tick)
            return to_x0(diffused.prediction, output.prediction, noisy, alpha, sigma)

        nothing = torch.full_like(noisy, NO_MAP)
        if guide is None or strength == 0:
            return estimate(nothing)
        told = guide.along(plane, noisy)
        tap(f"LMI {plane}", told)
        guided = estimate(GAIN * told)
        return guided if strength == 1 else torch.lerp(estimate(nothing), guided, strength)

    return denoise


def time_of_information(
    source: Tensor,
    z: Tensor,
    layer: LocalMutualInformation,
    schedule: Schedule,
    share: float,
    noise: Callable[[int], Tensor],
) -> float:
    """Return the time t0 at which noise leaves a share of what the source says of itself.

    The curve is the mean of LMI(G, (G + sigma_t noise)) over the middle axial slices, 1 at the last time and
    0 at the first. This is the project's: SDEdit leaves t0 to the user.

    Parameters
    ----------
    source, z : Tensor, shape (D, H, W)
        In model space, and as it is diffused.
    noise : callable
        Standard normal noise `(D, H, W)` for an index.
    """
    middle = slice(max(0, len(z) // 2 - MEASURED // 2), len(z) // 2 + MEASURED // 2)
    given, clean = source[middle], z[middle]
    times = torch.linspace(0, 1, CANDIDATES, dtype=torch.float64)
    curve = []
    for i, (alpha, sigma) in zip(count(), zip(*schedule(times), strict=True)):
        _, _, norm = variance_preserving(alpha, sigma)
        noisy = (float(alpha) * clean + float(sigma) * noise(i)[middle]) / float(norm)
        curve.append(float(layer(given, noisy).mean()))
    lost = [(value - curve[-1]) / max(curve[0] - curve[-1], 1e-12) for value in curve]
    below = next((i for i, left in enumerate(lost) if left <= share), CANDIDATES - 1)
    return max(float(times[below]), 1 / CANDIDATES)


__all__ = ["GAIN", "NO_MAP", "Guide", "guided_denoiser", "guiding_layer", "time_of_information"]
