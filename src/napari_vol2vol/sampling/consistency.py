"""Consistency wrappers: `Denoiser -> Denoiser` that pull x̂0 towards the measurement."""

from __future__ import annotations

from torch import Tensor

from napari_vol2vol.physics.operator import Operator
from napari_vol2vol.sampling.samplers import Denoiser


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
