"""Seconds a denoising step of each ensemble beside those of the average that it builds on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch

from napari_vol2vol.engine.allocation import reused_memory
from napari_vol2vol.engine.device import resolve_device, resolve_precision
from napari_vol2vol.evaluation.bench import timed
from napari_vol2vol.networks.blocks import channels_last
from napari_vol2vol.networks.fusion import FusionNetwork
from napari_vol2vol.networks.presets import fusion_unet, plane_unet
from napari_vol2vol.networks.unet import UNet
from napari_vol2vol.sampling.branches import Branch, Diffused, PlaneModel, plane_model
from napari_vol2vol.sampling.denoisers import averaged, fused, plane_denoiser
from napari_vol2vol.sampling.planes import PLANES, Plane
from napari_vol2vol.sampling.samplers import Denoiser

TWO: tuple[Plane, ...] = ("axial", "sagittal")
SLICES_25D = 3


@dataclass(frozen=True)
class Member:
    """How an ensemble is made, and ``part``: the one whose cost its own is divided by."""

    planes: tuple[Plane, ...]
    consecutive: int = 1
    fused: bool = False
    part: str = ""


#: Fusions follow the average they are divided by.
ENSEMBLES: Mapping[str, Member] = {
    "palette": Member(TWO[:1]),
    "tpdm": Member(TWO, part="palette"),
    "tosm": Member(PLANES, part="tpdm"),
    "madm": Member(PLANES, SLICES_25D, part="tosm"),
    "score-fusion": Member(TWO, fused=True, part="tpdm"),
    "score-fusion-tosm": Member(PLANES, fused=True, part="tosm"),
    "score-fusion-madm": Member(PLANES, SLICES_25D, fused=True, part="madm"),
}


@dataclass(frozen=True)
class EnsembleTiming:
    """Seconds of one denoising step of ``system`` on a cube, and of the ensemble it is measured against."""

    system: str
    seconds: float
    part: str
    part_seconds: float

    @property
    def ratio(self) -> float:
        """The cost in units of ``part``."""
        return self.seconds / self.part_seconds


def bench_ensembles(
    preset: str,
    size: int,
    device_name: str = "auto",
    *,
    fusion_preset: str | None = None,
    repeats: int = 3,
) -> Iterator[EnsembleTiming]:
    """Time one step of every ensemble with random weights of a preset on a cube of ``size`` voxels.

    Parameters
    ----------
    preset : str
        Of the 2D networks.
    fusion_preset : str, optional
        Of the 3D network; the same by default.
    repeats : int
        The least of so many times counts.
    """
    device = resolve_device(device_name)
    dtype = resolve_precision("auto", device)
    x_t = torch.randn(size, size, size, device=device)
    seconds: dict[str, float] = {}
    for name, member in ENSEMBLES.items():
        denoise = _denoiser(member, preset, fusion_preset or preset, x_t)

        def step(denoise: Denoiser = denoise) -> object:
            with torch.inference_mode(), torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
                return denoise(x_t, 0.5)

        with reused_memory():
            seconds[name] = timed(step, repeats)
        part = member.part or name
        yield EnsembleTiming(name, seconds[name], part, seconds[part])


def _denoiser(member: Member, preset: str, fusion_preset: str, like: torch.Tensor) -> Denoiser:
    diffused, base = Diffused(), torch.zeros_like(like)
    network = UNet(plane_unet(preset, 1, member.consecutive)).to(like.device).eval().requires_grad_(False)
    network = channels_last(network, 2)
    models = [
        plane_model(Branch(network, plane, diffused, ("base",), member.consecutive), {"base": base}, diffused)
        for plane in member.planes
    ]
    if not member.fused:
        return averaged({model.plane: plane_denoiser(model) for model in models})
    return _fusion(models, fusion_preset, base)


def _fusion(models: list[PlaneModel], preset: str, base: torch.Tensor) -> Denoiser:
    config = models[0].branch.network.config
    levels = len(fusion_unet(preset).channels)
    widths = tuple(len(models) * config.channels[level] for level in range(levels))
    scales = tuple(config.stem * 2**level for level in range(levels))
    network = FusionNetwork(fusion_unet(preset, 1, len(models), widths))
    network = channels_last(network.to(base.device).eval().requires_grad_(False), 3)
    injected = scales if network.unet.config.inject_channels else ()
    return fused(models, network, injected, base[None])
