"""Averages over blocks of voxels: the measurement of super-resolution."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod, sqrt

import torch
from torch import Tensor

from napari_vol2vol.errors import SettingsError


@dataclass(frozen=True)
class BlockAverage:
    """Block average over ``factor = (kz, ky, kx)`` voxels, scaled to unit norm.

    ``A x = sqrt(kz ky kx) * mean over blocks``, so ``A A^T = I`` and the pseudo-inverse is the adjoint (the
    projection ``x - A^T (A x - y)`` of Score-Fusion, appendix H, eq. 6, without its low-resolution resize).

    Raises
    ------
    SettingsError
        If a factor is below 1, or on use, if a volume axis is not divisible by its factor.
    """

    factor: tuple[int, int, int]

    def __post_init__(self) -> None:
        if len(self.factor) != 3 or any(k < 1 for k in self.factor):
            raise SettingsError(f"factor: found {self.factor}, accepted are three whole numbers of 1 or more")

    @property
    def gain(self) -> float:
        """``A x`` divided by the plain block mean of ``x``."""
        return sqrt(prod(self.factor))

    def __call__(self, x: Tensor) -> Tensor:
        """Return ``A x`` for `(..., D, H, W)`; each axis shrinks by its factor."""
        *batch, d, h, w = x.shape
        kz, ky, kx = self.factor
        if d % kz or h % ky or w % kx:
            raise SettingsError(f"volume of {(d, h, w)} voxels: each axis must be divisible by {self.factor}")
        blocks = x.reshape(*batch, d // kz, kz, h // ky, ky, w // kx, kx)
        return blocks.sum(dim=(-5, -3, -1)) / self.gain

    def adjoint(self, y: Tensor) -> Tensor:
        """Return ``A^T y``: each value spread evenly over its block."""
        for axis, k in zip((-3, -2, -1), self.factor, strict=True):
            y = torch.repeat_interleave(y, k, dim=axis)
        return y / self.gain

    def pseudo_inverse(self, y: Tensor) -> Tensor:
        """Return ``A^+ y``, which is the adjoint because ``A A^T = I``."""
        return self.adjoint(y)

    def from_means(self, low: Tensor) -> Tensor:
        """Return the measurement ``y`` whose block means are ``low``."""
        return low * self.gain
