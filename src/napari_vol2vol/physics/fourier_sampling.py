"""Cartesian MRI with one coil: the Fourier transform at the sampled places."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import torch
from torch import Tensor

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.physics.conjugate_gradient import SLICE, VOLUME
from napari_vol2vol.physics.constant import Constant
from napari_vol2vol.physics.fourier import CHANNEL, as_channels, as_complex, centred_fft, centred_ifft
from napari_vol2vol.physics.imaging_operator import SliceIndex


@dataclass(frozen=True, eq=False)
class FourierSampling:
    """k-space of images at the places of a mask, zero elsewhere, scaled to unit norm.

    Parameters
    ----------
    mask : Tensor of bool, shape (H, W) or (D, H, W)
        What was sampled, the zero frequency at index n // 2. A plane mask holds for every slice: in 2D
        acquisitions, and in 3D ones after the transform along the readout (`along_readout`).
    dims : int
        2 to transform each slice on its own, 3 to transform the volume.
    complex_image : bool
        Whether images have two channels `(..., 2, D, H, W)`; else they are real, `(..., D, H, W)`.

    Raises
    ------
    SettingsError
        If the mask has another number of axes or samples nothing.
    """

    mask: Tensor
    dims: int = 2
    complex_image: bool = False

    def __post_init__(self) -> None:
        if self.dims not in (2, 3):
            raise SettingsError(f"dims: found {self.dims}, accepted are 2 (slices) and 3 (the volume)")
        if self.mask.ndim not in (2, 3):
            shape = tuple(self.mask.shape)
            raise SettingsError(f"mask: found shape {shape}, accepted are (H, W) and (D, H, W)")
        object.__setattr__(self, "mask", self.mask.bool().cpu())
        if self.dims == 3 and self.mask.ndim == 2:
            raise SettingsError("mask: found a plane for dims 3; accepted is a mask (D, H, W)")
        if not self.mask.any():
            raise SettingsError("mask: found no sampled place; accepted is one that samples at least one")

    @property
    def axes(self) -> tuple[int, ...]:
        """The axes that are transformed."""
        return SLICE if self.dims == 2 else VOLUME

    @property
    def system_axes(self) -> tuple[int, ...]:
        """The axes that one system spans: those transformed, and the channels of a complex image."""
        return (CHANNEL, *self.axes) if self.complex_image else self.axes

    @property
    def acceleration(self) -> float:
        """Places of the grid over those sampled."""
        return self.mask.numel() / int(self.mask.sum())

    @cached_property
    def gain(self) -> float:
        """``A x`` divided by the orthonormal transform of x where it is sampled.

        Above 1 only where images are real and no frequency is sampled together with its opposite.
        """
        return float(float(self._weights.value.max()) ** -0.5)

    @cached_property
    def _centred(self) -> Constant:
        return Constant(self.mask)

    @cached_property
    def _weights(self) -> Constant:
        """``A^T A`` in the Fourier domain, zero frequency at index 0, without the gain."""
        mask = torch.fft.ifftshift(self.mask, self.axes).float()
        if not self.complex_image:  # the real part of an image averages a frequency with its opposite
            opposite = torch.roll(mask.flip(self.axes), [1] * self.dims, self.axes)
            mask = (mask + opposite) / 2
        return Constant(mask)

    def __call__(self, x: Tensor) -> Tensor:
        """Return k-space `(..., D, H, W)`."""
        return self.gain * self.sample(as_complex(x) if self.complex_image else x)

    def adjoint(self, y: Tensor) -> Tensor:
        """Return ``A^T y``: the zero-filled image."""
        image = self.gain * centred_ifft(y * self._centred.like(y), self.axes)
        return as_channels(image) if self.complex_image else image.real

    def pseudo_inverse(self, y: Tensor) -> Tensor:
        """Return ``A^+ y`` in closed form."""
        image, weights = self.adjoint(y), self._weights.like(y)
        inverse = torch.where(weights > 0, 1 / weights.clamp(min=0.25), 0.0)
        return self._filtered(image, inverse) / self.gain**2

    def normal(self, x: Tensor) -> Tensor:
        """Return ``A^T A x``: a circular convolution, so no shift is needed."""
        return self._filtered(x, self._weights.like(x)) * self.gain**2

    def sample(self, image: Tensor) -> Tensor:
        """Return the transform of an image, real or complex, at the sampled places."""
        self._check(image)
        return centred_fft(image, self.axes) * self._centred.like(image)

    def filter_complex(self, image: Tensor) -> Tensor:
        """Return a complex image with the frequencies that were not sampled set to zero."""
        mask = torch.fft.ifftshift(self._centred.like(image), self.axes)
        filtered: Tensor = torch.fft.ifftn(torch.fft.fftn(image, dim=self.axes) * mask, dim=self.axes)
        return filtered

    def restrict(self, kspace: Tensor) -> Tensor:
        """Return k-space with zeros where nothing was sampled."""
        return kspace * self._centred.like(kspace)

    def at_slices(self, index: SliceIndex) -> Self:
        """Return the operator of some of the slices."""
        if self.dims == 3:
            raise SettingsError(
                "dims: found 3, where the measurement mixes slices; accepted by systems that work slice by "
                "slice are 2D acquisitions, or 3D ones transformed along their readout"
            )
        if self.mask.ndim == 2:
            return self
        part = replace(self, mask=self.mask[index])
        part.__dict__.update(
            gain=self.gain, _centred=self._centred.part(index), _weights=self._weights.part(index)
        )
        return part

    def _filtered(self, image: Tensor, weights: Tensor) -> Tensor:
        self._check(image)
        if self.complex_image:
            spectrum = torch.fft.fftn(as_complex(image), dim=self.axes) * weights
            return as_channels(torch.fft.ifftn(spectrum, dim=self.axes))
        half = torch.fft.rfftn(image, dim=self.axes) * weights[..., : image.shape[-1] // 2 + 1]
        filtered: Tensor = torch.fft.irfftn(half, s=[image.shape[a] for a in self.axes], dim=self.axes)
        return filtered

    def _check(self, image: Tensor) -> None:
        shape = tuple(image.shape[-self.mask.ndim :])
        if shape != tuple(self.mask.shape):
            raise SettingsError(
                f"image: found {shape} voxels, accepted is the mask's {tuple(self.mask.shape)}"
            )


def along_readout(kspace: Tensor, axis: int) -> Tensor:
    """Transform a 3D acquisition along its fully sampled readout, so that it falls into slices.

    The readout becomes the slice axis -3; the other two keep their order.
    """
    return centred_ifft(kspace, (axis,)).movedim(axis, -3)
