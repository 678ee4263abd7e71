"""Measurements with Gaussian noise."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.physics.operator import Operator


def measured(operator: Operator, x: Tensor, sigma: float, seed: int = 0) -> Tensor:
    """Return ``y = A x + n`` with white Gaussian noise of standard deviation ``sigma``.

    ``sigma`` is in the units of ``y``, whose operator has unit norm; noise stated for line integrals in
    pixels is multiplied by ``Projector.gain`` first. k-space has noise of ``sigma`` in its real and in its
    imaginary part, at the sampled places only. The noise is drawn on the CPU in float32, alike on every
    device.

    Raises
    ------
    SettingsError
        If ``sigma`` is negative or not finite.
    """
    if not 0 <= sigma < float("inf"):
        raise SettingsError(f"sigma: found {sigma}, accepted are finite standard deviations of 0 or more")
    y = operator(x)
    if sigma == 0:
        return y
    generator = torch.Generator("cpu").manual_seed(seed)
    shape = (*y.shape, 2) if y.is_complex() else y.shape
    drawn = torch.randn(shape, generator=generator)
    noise = (torch.view_as_complex(drawn) if y.is_complex() else drawn).to(y.device, y.dtype)
    restrict = getattr(operator, "restrict", None)
    return y + sigma * (noise if restrict is None else restrict(noise))
