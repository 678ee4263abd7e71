"""Filtered back-projection."""

from __future__ import annotations

from collections.abc import Callable
from math import pi

import numpy as np
import torch
from torch import Tensor

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.physics.projector import COLUMNS, Projector

#: Attenuation of the ramp at a frequency given as a share of the detector's Nyquist frequency.
WINDOWS: dict[str, Callable[[Tensor], Tensor]] = {
    "ramp": torch.ones_like,
    "shepp-logan": lambda f: torch.sinc(f / 2),
    "cosine": lambda f: torch.cos(pi * f / 2),
    "hamming": lambda f: 0.54 + 0.46 * torch.cos(pi * f),
    "hann": lambda f: 0.5 + 0.5 * torch.cos(pi * f),
}


def filtered_back_projection(projector: Projector, y: Tensor, window: str = "ramp") -> Tensor:
    """Return the image `(..., D, H, W)` of a measurement `(..., D, views, bins)` of the projector.

    Ramp filter after Kak and Slaney (1988), eq. 3.61, pixel-driven back-projection with linear interpolation;
    for fan beams the weights of their eq. 3.131 and 3.136 (flat detector, full circle).

    Raises
    ------
    SettingsError
        For an unknown window, a sinogram of another shape, or a fan beam that is not a full circle.
    """
    if window not in WINDOWS:
        raise SettingsError(f"window: found {window!r}, accepted are {', '.join(WINDOWS)}")
    expected = (projector.views, projector.bins)
    if tuple(y.shape[-2:]) != expected:
        raise SettingsError(f"sinogram: found {tuple(y.shape[-2:])}, accepted is {expected} (views, bins)")
    sinograms = y.reshape(-1, *expected)
    weights = torch.from_numpy(projector.ray_weights / projector.gain).to(y)
    parts = [
        _back_projected(projector, _ramp(block * weights, projector.spacing, window))
        for block in torch.split(sinograms, COLUMNS)
    ]
    return torch.cat(parts).reshape(*y.shape[:-2], *projector.shape)


def _ramp(sinograms: Tensor, spacing: float, window: str) -> Tensor:
    bins = sinograms.shape[-1]
    size = 1 << (2 * bins - 1).bit_length()  # room for the whole linear convolution
    distance = torch.minimum(torch.arange(size), size - torch.arange(size)).double()
    kernel = torch.where(distance % 2 == 1, -1 / (pi * distance.clamp(min=1)).square(), 0.0)
    kernel[0] = 0.25
    response = torch.fft.rfft(kernel).real / spacing
    response *= WINDOWS[window](torch.linspace(0, 1, size // 2 + 1, dtype=torch.float64))
    filtered: Tensor = torch.fft.irfft(torch.fft.rfft(sinograms, size) * response.to(sinograms), size)
    return filtered.narrow(-1, 0, bins)


def _back_projected(projector: Projector, filtered: Tensor) -> Tensor:
    """Return images `(N, H * W)` of filtered sinograms `(N, views, bins)`."""
    columns = torch.nn.functional.pad(filtered, (1, 1)).permute(1, 2, 0).contiguous()
    out = columns.new_zeros(projector.shape[0] * projector.shape[1], len(filtered))
    angles = np.deg2rad(projector.angles_deg)
    for view, angle, view_weight in zip(columns, angles, projector.view_weights, strict=True):
        position, weight = projector.traces(angle)
        index = np.clip(
            position + 0.5, 0, projector.bins + 1
        )  # bin i has its middle at i + 0.5; one is padding
        low = np.minimum(np.floor(index), projector.bins).astype(np.int64)
        share = torch.from_numpy(index - low).to(out)[:, None]
        rows = torch.from_numpy(low).to(out.device)
        value = torch.lerp(view[rows], view[rows + 1], share)
        out.addcmul_(value, torch.from_numpy(weight * view_weight).to(out)[:, None])
    return out.t()
