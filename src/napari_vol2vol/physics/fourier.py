"""Centred Fourier transforms, and complex images as two real channels."""

from __future__ import annotations

import torch
from torch import Tensor

#: The axis of real and imaginary part of a complex image `(..., 2, D, H, W)`.
CHANNEL = -4


def centred_fft(image: Tensor, axes: tuple[int, ...]) -> Tensor:
    """Return the orthonormal transform with the zero frequency, and the image's origin, at index n // 2."""
    shifted = torch.fft.ifftshift(image, axes)
    spectrum: Tensor = torch.fft.fftshift(torch.fft.fftn(shifted, dim=axes, norm="ortho"), axes)
    return spectrum


def centred_ifft(kspace: Tensor, axes: tuple[int, ...]) -> Tensor:
    """Invert `centred_fft`, which is its adjoint."""
    shifted = torch.fft.ifftshift(kspace, axes)
    image: Tensor = torch.fft.fftshift(torch.fft.ifftn(shifted, dim=axes, norm="ortho"), axes)
    return image


def as_complex(image: Tensor) -> Tensor:
    """Return `(..., D, H, W)` complex from two channels `(..., 2, D, H, W)`."""
    real, imaginary = image.unbind(CHANNEL)
    return torch.complex(real, imaginary)


def as_channels(image: Tensor) -> Tensor:
    """Invert `as_complex`."""
    return torch.stack([image.real, image.imag], CHANNEL)


def magnitude(image: Tensor) -> Tensor:
    """Return `(..., D, H, W)`, the magnitude of two channels `(..., 2, D, H, W)`."""
    return image.square().sum(CHANNEL).sqrt()
