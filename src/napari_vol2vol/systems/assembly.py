"""What a system is assembled from and into."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from napari_vol2vol.bundles.card import BundleCard
from napari_vol2vol.errors import BundleError
from napari_vol2vol.networks.unet import UNet
from napari_vol2vol.sampling.consistency import projected
from napari_vol2vol.sampling.denoisers import PlaneModel, Tap, no_tap
from napari_vol2vol.sampling.latent import Latent, make_latent
from napari_vol2vol.sampling.measurement import Measurement
from napari_vol2vol.sampling.planes import PLANES, Tick, no_tick
from napari_vol2vol.sampling.samplers import Denoiser
from napari_vol2vol.sampling.schedules import Schedule, make_schedule


@dataclass(frozen=True)
class Context:
    """Everything a system may use; ``slab`` is the axial slices a 3D network sees at once (None: all)."""

    measurement: Measurement
    card: BundleCard | None
    device: torch.device
    slice_batch: int = 16
    slab: int | None = None
    fusion_lambda: float = 1.0
    consistency: bool = True
    plane: str | None = None
    tick: Tick = no_tick
    tap: Tap = no_tap

    def bundle(self) -> BundleCard:
        """Return the card, which systems with networks need."""
        if self.card is None:
            raise BundleError("this system needs a bundle of trained weights")
        return self.card


@dataclass(frozen=True)
class Assembly:
    """A system ready to sample: a denoiser of the diffused variable z, and the way from z to the image x.

    ``schedule`` is None for systems that answer in one call; their denoiser ignores x_t and t.
    """

    denoiser: Denoiser
    schedule: Schedule | None
    decode: Callable[[Tensor], Tensor]


def direct(estimate: Callable[[], Tensor]) -> Assembly:
    """Assemble a system that answers at once with a volume in model space."""
    return Assembly(lambda x_t, t: estimate(), None, lambda z: z)


def diffusion_parts(context: Context, card: BundleCard) -> tuple[Latent, Schedule]:
    """Return what is diffused and along which schedule, as the card says."""
    d = card.diffusion
    latent = make_latent(d["what"], d["scale"], context.measurement)
    return latent, make_schedule(d["schedule"], d.get("schedule_parameters"))


def plane_models(context: Context, card: BundleCard, network: UNet, schedule: Schedule) -> list[PlaneModel]:
    """Return one model for each plane of the card."""
    unknown = [p for p in card.planes if p not in PLANES]
    if unknown or not card.planes:
        raise BundleError(f"bundle {card.name}: planes {card.planes} must be among {', '.join(PLANES)}")
    return [
        PlaneModel(
            network, plane, context.measurement.base[None], card.diffusion["prediction"], schedule,  # type: ignore[arg-type]
            context.slice_batch, context.tick,
        )
        for plane in card.planes
    ]  # fmt: skip


def finish(context: Context, denoiser: Denoiser, latent: Latent, schedule: Schedule) -> Assembly:
    """Add the consistency projection where it is wanted, and the way back to the image."""
    if context.consistency:
        denoiser = projected(
            denoiser, context.measurement.operator, latent.encode_measurement(context.measurement)
        )
    return Assembly(denoiser, schedule, latent.decode)
