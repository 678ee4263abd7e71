"""The classical reconstructions of MRI."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_vol2vol.physics.coil_sampling import CoilSampling
from napari_vol2vol.physics.conjugate_gradient import conjugate_gradient
from napari_vol2vol.physics.fourier_sampling import FourierSampling


def zero_filled(operator: FourierSampling | CoilSampling, y: Tensor) -> Tensor:
    """Return the image with zeros where k-space was not sampled; coils are combined by their maps."""
    return operator.adjoint(y) / operator.gain**2


def sense_cg(
    operator: FourierSampling | CoilSampling,
    y: Tensor,
    *,
    steps: int = 30,
    weight: float = 0.0,
    tolerance: float = 1e-4,
) -> Tensor:
    """Return ``argmin |A x - y|^2 + weight |x|^2`` by conjugate gradients from zero (Pruessmann et al. 2001).

    With noise, ``steps`` regularises as well as ``weight`` does.
    """
    b = operator.adjoint(y)
    return conjugate_gradient(
        lambda x: operator.normal(x) + weight * x, b, torch.zeros_like(b),
        steps=steps, tolerance=tolerance, axes=operator.system_axes,
    )  # fmt: skip
