"""Gaussian priors with closed-form denoisers: the exactness that samplers are held to."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from napari_vol2vol.sampling.schedules import Schedule


def smooth_covariance(n: int, length: float = 1.5) -> Tensor:
    """Squared-exponential covariance on an n x n grid with unit variance, plus a small nugget."""
    grid = torch.stack(
        torch.meshgrid(*[torch.arange(n, dtype=torch.float64)] * 2, indexing="ij"), -1
    ).reshape(-1, 2)
    squared = (grid[:, None] - grid[None]).square().sum(-1)
    return 0.95 * torch.exp(-squared / (2 * length**2)) + 0.05 * torch.eye(n * n, dtype=torch.float64)


class GaussianPrior:
    """Replicates along axis 0, each an (n, n) slice drawn from N(mean, covariance)."""

    def __init__(self, mean: Tensor, covariance: Tensor, schedule: Schedule) -> None:
        self.mean, self.covariance, self.schedule = mean.double().reshape(-1), covariance.double(), schedule

    def denoiser(self, x_t: Tensor, t: float) -> Tensor:
        """E[x_0 | x_t] = mean + alpha C (alpha^2 C + sigma^2 I)^-1 (x_t - alpha mean)."""
        alpha, sigma = (float(v) for v in self.schedule(torch.tensor(t, dtype=torch.float64)))
        total = alpha**2 * self.covariance + sigma**2 * torch.eye(len(self.mean), dtype=torch.float64)
        gain = alpha * torch.linalg.solve(total, self.covariance)
        centred = x_t.double().reshape(x_t.shape[0], -1) - alpha * self.mean
        return (self.mean + centred @ gain).reshape(x_t.shape).to(x_t.dtype)


def noise_source(shape: tuple[int, ...], seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    return lambda i: torch.randn(shape, generator=generator, dtype=torch.float64)


def moments(samples: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance per pixel over the replicates."""
    return samples.mean(0).numpy(), samples.var(0).numpy()
