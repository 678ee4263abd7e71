"""Conditional DDPM between the phases of CT (Medical Flow Matching, 3.1), slice by slice.

Every slice of a patient starts from the *same* noise, as the paper does: separate noise makes neighbouring
slices unlike one another. The price is that the error of neighbours is alike too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from torch import Tensor

from napari_vol2vol.errors import BundleError
from napari_vol2vol.sampling.planes import PLANES, Plane
from napari_vol2vol.sampling.samplers import Denoiser, Noise, Sampler, Step
from napari_vol2vol.sampling.schedules import Schedule
from napari_vol2vol.systems import palette
from napari_vol2vol.systems.assembly import Assembly, Context
from napari_vol2vol.systems.mfm import axial_or_asked


def build(context: Context) -> Assembly:
    """Assemble x̂0 = D(x_t | source) of the axial slices, or of ``Context.plane``, with shared noise.

    Raises
    ------
    BundleError
        If the bundle diffuses anything but the image.
    """
    (plane,) = axial_or_asked(context)
    card = context.bundle()
    if card.diffusion["what"] != "image":
        raise BundleError(
            f"bundle {card.name}: found a diffused {card.diffusion['what']}, ddpm-ct accepts an image"
        )
    assembly = palette.build(replace(context, plane=plane))
    samplers = {name: with_shared_noise(sampler, plane) for name, sampler in assembly.samplers.items()}
    return replace(assembly, samplers=samplers)


def one_for_all(noise: Tensor, plane: Plane) -> Tensor:
    """Return noise `(D, H, W)` whose slices along a plane are all its first one."""
    return noise.narrow(PLANES.index(plane), 0, 1).expand_as(noise)


def with_shared_noise(sampler: Sampler, plane: Plane) -> Sampler:
    """Return a sampler of diffusion whose noise, at the start and at every step, is one slice repeated."""

    def sample(
        denoiser: Denoiser, x: Tensor, times: Tensor, schedule: Schedule, noise: Noise, *, eta: float = 0.0
    ) -> Iterator[Step]:
        return sampler(
            denoiser, one_for_all(x, plane), times, schedule, lambda i: one_for_all(noise(i), plane), eta=eta
        )

    return sample
