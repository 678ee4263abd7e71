"""Cartesian MRI with several coils."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import torch
from torch import Tensor

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.physics.conjugate_gradient import conjugate_gradient
from napari_vol2vol.physics.constant import Constant
from napari_vol2vol.physics.fourier import as_channels, as_complex, centred_ifft
from napari_vol2vol.physics.fourier_sampling import FourierSampling
from napari_vol2vol.physics.imaging_operator import SliceIndex
from napari_vol2vol.physics.norm import largest_eigenvalue

#: The norm is measured on so many slices, evenly spaced: coil maps vary slowly along z.
NORM_SLICES = 8


@dataclass(frozen=True, eq=False)
class CoilSampling:
    """k-space `(..., coils, D, H, W)` of an image seen by coils, scaled to unit norm (SENSE).

    Parameters
    ----------
    sampling : FourierSampling
        Where and how k-space is sampled, and whether images are complex.
    coil_maps : Tensor, complex, shape (coils, H, W) or (coils, D, H, W)
        Sensitivities.
    cg_steps, cg_tolerance
        When `pseudo_inverse` ends.

    Raises
    ------
    SettingsError
        If the maps are not complex or lie on another grid than the mask.
    """

    sampling: FourierSampling
    coil_maps: Tensor
    cg_steps: int = 30
    cg_tolerance: float = 1e-4

    def __post_init__(self) -> None:
        maps = self.coil_maps
        if not maps.is_complex() or maps.ndim not in (3, 4):
            raise SettingsError(
                f"coil_maps: found {maps.dtype} of shape {tuple(maps.shape)}, accepted are complex maps "
                "(coils, H, W) or (coils, D, H, W)"
            )
        if maps.shape[-2:] != self.sampling.mask.shape[-2:]:
            raise SettingsError(
                f"coil_maps: found slices of {tuple(maps.shape[-2:])} pixels, accepted is the mask's "
                f"{tuple(self.sampling.mask.shape[-2:])}"
            )
        object.__setattr__(self, "coil_maps", maps if maps.ndim == 4 else maps[:, None])

    @property
    def coils(self) -> int:
        """Number of coils."""
        return int(self.coil_maps.shape[0])

    @property
    def complex_image(self) -> bool:
        """Whether images have two channels."""
        return self.sampling.complex_image

    @property
    def system_axes(self) -> tuple[int, ...]:
        """The axes of an image that one system spans."""
        return self.sampling.system_axes

    @cached_property
    def gain(self) -> float:
        """``A x`` divided by the orthonormal transform of what the coils see, where it is sampled.

        One over the norm, which is measured to about 1e-5 on at most `NORM_SLICES` slices.
        """
        few = self._few_slices()
        shape = (2, *few._grid) if self.complex_image else few._grid
        return float(largest_eigenvalue(few._normal, shape, axes=self.system_axes) ** -0.5)

    @cached_property
    def _maps(self) -> Constant:
        return Constant(self.coil_maps)

    def __call__(self, x: Tensor) -> Tensor:
        """Return k-space `(..., coils, D, H, W)`."""
        image = as_complex(x) if self.complex_image else x
        maps = self._maps.like(x)
        return self.gain * torch.stack([self.sampling.sample(m * image) for m in maps], dim=-4)

    def adjoint(self, y: Tensor) -> Tensor:
        """Return ``A^T y``: the zero-filled images of the coils, combined."""
        each = zip(y.unbind(-4), self._maps.like(y), strict=True)
        axes, restrict = self.sampling.axes, self.sampling.restrict
        return self.gain * self._real(sum(m.conj() * centred_ifft(restrict(k), axes) for k, m in each))

    def normal(self, x: Tensor) -> Tensor:
        """Return ``A^T A x``, one coil after the other."""
        return self.gain**2 * self._normal(x)

    def pseudo_inverse(self, y: Tensor) -> Tensor:
        """Return ``A^+ y`` by conjugate gradients from zero: SENSE-CG."""
        b = self.adjoint(y)
        return conjugate_gradient(
            self.normal, b, torch.zeros_like(b),
            steps=self.cg_steps, tolerance=self.cg_tolerance, axes=self.system_axes,
        )  # fmt: skip

    def restrict(self, kspace: Tensor) -> Tensor:
        """Return k-space with zeros where nothing was sampled."""
        return self.sampling.restrict(kspace)

    def at_slices(self, index: SliceIndex) -> Self:
        """Return the operator of some of the slices, with the gain of them all."""
        few = self._maps if self.coil_maps.shape[1] == 1 else self._maps.part(slice(None), index)
        part = replace(self, sampling=self.sampling.at_slices(index), coil_maps=few.value)
        part.__dict__.update(gain=self.gain, _maps=few)
        return part

    def _normal(self, x: Tensor) -> Tensor:
        image = as_complex(x) if self.complex_image else x
        return self._real(sum(m.conj() * self.sampling.filter_complex(m * image) for m in self._maps.like(x)))

    def _real(self, image: Tensor) -> Tensor:
        return as_channels(image) if self.complex_image else image.real

    @property
    def _grid(self) -> tuple[int, int, int]:
        depth, height, width = self.coil_maps.shape[1:]
        return max(depth, self.sampling.mask[None].shape[-3]), height, width

    def _few_slices(self) -> Self:
        depth = self._grid[0]
        if self.sampling.dims == 3 or depth <= NORM_SLICES:
            return self
        index = torch.linspace(0, depth - 1, NORM_SLICES).round().long()
        maps = self.coil_maps if self.coil_maps.shape[1] == 1 else self.coil_maps[:, index]
        return replace(self, sampling=self.sampling.at_slices(index), coil_maps=maps)
