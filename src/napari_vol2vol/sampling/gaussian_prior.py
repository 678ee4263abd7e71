"""A stationary Gaussian prior: every denoiser, and every posterior under block averages, in closed form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import pi

import numpy as np
import torch
from scipy.fft import dct
from torch import Tensor

from napari_vol2vol.sampling.planes import PLANES, Plane
from napari_vol2vol.sampling.samplers import Denoiser
from napari_vol2vol.sampling.schedules import Schedule

Factor = tuple[int, int, int]


@dataclass(frozen=True)
class Spectrum:
    """Power spectrum of a Matern field of unit variance on a grid that mirrors at its edges.

    ``S(f) ~ (1 + (2 pi length f)^2)^-(smoothness + d/2)`` with f in cycles per voxel over the d axes along
    which voxels are correlated (Rasmussen and Williams 2006, eq. 4.15). ``length`` is in voxels. A ``plane``
    knows of its own slices only: slices are independent.
    """

    length: float
    smoothness: float = 0.5
    plane: Plane | None = None

    def power(self, shape: Sequence[int]) -> Tensor:
        """Return the variance of each coefficient `(D, H, W)` of the orthonormal DCT-II."""
        stacked = None if self.plane is None else PLANES.index(self.plane)
        axes = [a for a in range(3) if a != stacked]
        squared = torch.zeros((1, 1, 1), dtype=torch.float64)
        for axis in axes:
            f = torch.arange(shape[axis], dtype=torch.float64) / (2 * shape[axis])
            squared = squared + f.square().reshape([-1 if a == axis else 1 for a in range(3)])
        power = (1 + (2 * pi * self.length) ** 2 * squared) ** -(self.smoothness + len(axes) / 2)
        power = power.expand(tuple(shape))
        return power / power.mean()


def transformed(x: Tensor, matrices: Sequence[Tensor]) -> Tensor:
    """Multiply each of the three axes of `(D, H, W)` by a matrix."""
    for axis, matrix in zip((-3, -2, -1), matrices, strict=True):
        x = torch.movedim(torch.movedim(x, axis, -1) @ matrix.T.to(x), -1, axis)
    return x


@lru_cache(maxsize=32)
def cosines(n: int) -> Tensor:
    """Return the orthonormal DCT-II `(n, n)`: row k is the k-th cosine."""
    return torch.from_numpy(dct(np.eye(n), axis=0, norm="ortho"))


@lru_cache(maxsize=32)
def averaged_cosines(n: int, block: int) -> Tensor:
    """Return what means over blocks (of unit norm) make of cosines: `(n / block, n)` in the coarse DCT-II.

    A block mean of a cosine is a coarse cosine, so each column has one entry at most.
    """
    mean = np.kron(np.eye(n // block), np.full((1, block), block**-0.5))
    return cosines(n // block) @ torch.from_numpy(mean) @ cosines(n).T


@dataclass(frozen=True)
class Known:
    """What was measured of z: ``A z = y`` under `physics.BlockAverage` of ``factor``."""

    y: Tensor
    factor: Factor


def gaussian_denoiser(
    spectrum: Spectrum, shape: Sequence[int], schedule: Schedule, known: Known | None = None
) -> Denoiser:
    """Return ``E[z_0 | x_t]`` of ``z_0 ~ N(0, spectrum)``, or ``E[z_0 | x_t, A z_0 = y]`` where y is known.

    With power P of a cosine, x_t leaves ``D = P sigma^2 / (alpha^2 P + sigma^2)`` of its variance and has
    mean ``m = alpha P x_t / (alpha^2 P + sigma^2)`` (Wiener). The measurement then adds
    ``D A^T (A D A^T)^-1 (y - A m)``, where ``A D A^T`` is diagonal in the coarse cosines. The posterior is
    Gaussian as well, so samplers end in it exactly as their steps grow many.

    Returns
    -------
    Denoiser
        Of volumes `(D, H, W)`; computes in float32, also where autocast is on.
    """
    power = spectrum.power(shape)
    forth = [cosines(n) for n in shape]
    back = [m.T for m in forth]
    correct = no_correction if known is None else _correction(shape, known)

    def denoise(x_t: Tensor, t: float) -> Tensor:
        alpha, sigma = (float(v) for v in schedule(torch.tensor(t, dtype=torch.float64)))
        with torch.autocast(x_t.device.type, enabled=False):
            p = power.to(x_t)
            total = alpha**2 * p + sigma**2
            mean = alpha * p / total * transformed(x_t, forth)
            return transformed(correct(mean, p * sigma**2 / total), back)

    return denoise


def no_correction(mean: Tensor, variance: Tensor) -> Tensor:
    """Return the mean: nothing was measured."""
    del variance
    return mean


def _correction(shape: Sequence[int], known: Known) -> Callable[[Tensor, Tensor], Tensor]:
    """Return what makes, of mean and variance of each cosine given x_t, their mean given y as well."""
    average = [averaged_cosines(n, k) for n, k in zip(shape, known.factor, strict=True)]
    squared, adjoint = [m.square() for m in average], [m.T for m in average]
    y = transformed(known.y, [cosines(n) for n in known.y.shape])

    def correct(mean: Tensor, variance: Tensor) -> Tensor:
        gap = y.to(mean) - transformed(mean, average)
        explained = transformed(variance, squared)  # the diagonal of A D A^T
        return mean + variance * transformed(gap / explained.clamp(min=1e-12), adjoint)

    return correct
