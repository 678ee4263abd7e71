"""Exact posteriors of white Gaussian priors under the operators of imaging."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_vol2vol.physics.imaging_operator import ImagingOperator


def dense_normal(operator: ImagingOperator, shape: tuple[int, ...]) -> Tensor:
    """A^T A as a matrix over images of ``shape``."""
    n = int(torch.tensor(shape).prod())
    unit = torch.eye(n, dtype=torch.float64).reshape(n, *shape)
    return operator.normal(unit).reshape(n, n)


def white_posterior(
    operator: ImagingOperator, y: Tensor, sigma: float, mean: Tensor, variance: float = 1.0
) -> tuple[Tensor, Tensor]:
    """Mean, of the shape of ``mean``, and covariance of x given y = A x + n under x ~ N(mean, variance I)."""
    normal = dense_normal(operator, tuple(mean.shape))
    precision = normal / sigma**2 + torch.eye(len(normal), dtype=torch.float64) / variance
    right = operator.adjoint(y).reshape(-1).double() / sigma**2 + mean.reshape(-1).double() / variance
    covariance = torch.linalg.inv(precision)
    return (covariance @ right).reshape(mean.shape), covariance
