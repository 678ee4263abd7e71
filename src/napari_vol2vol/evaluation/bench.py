"""Seconds a step and peak memory of the network presets against a plain slice-by-slice float32 loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from napari_vol2vol.engine.allocation import reused_memory
from napari_vol2vol.engine.device import resolve_device, resolve_precision
from napari_vol2vol.evaluation.peak_memory import resident_peak_gib
from napari_vol2vol.networks.blocks import Network, channels_last
from napari_vol2vol.networks.fusion import FusionNetwork
from napari_vol2vol.networks.presets import fusion_unet, plane_unet
from napari_vol2vol.networks.unet import UNet
from napari_vol2vol.sampling.planes import Plane, apply_plane

PLANES: tuple[Plane, ...] = ("axial", "sagittal")
Call = Callable[[], object]


@dataclass(frozen=True)
class Timing:
    """Seconds of one denoising step (two planes, or the fusion network) on a cube of ``size`` voxels."""

    preset: str
    what: str
    size: int
    seconds: float
    plain_seconds: float
    peak_gib: float

    @property
    def speedup(self) -> float:
        """Plain float32 time over ours."""
        return self.plain_seconds / self.seconds


def timed(function: Call, repeats: int) -> float:
    """Return the least seconds of ``repeats`` calls, after one that does not count."""
    function()
    best = float("inf")
    for _ in range(repeats):
        begin = time.perf_counter()
        function()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - begin)
    return best


def _plain_planes(network: UNet, inputs: Tensor) -> list[Tensor]:
    """Run one slice a call in float32, contiguous memory: how the networks are run without any care."""
    outputs = []
    for axis in (1, 3):
        for piece in inputs.movedim(axis, 0):
            x = piece[None].contiguous()
            label = torch.zeros(1, dtype=torch.int64, device=x.device)
            outputs.append(network(x, torch.full((1,), 0.5, device=x.device), label)[0])
    return outputs


def bench(preset: str, size: int, device_name: str = "auto", *, repeats: int = 2) -> Iterator[Timing]:
    """Time one step of a preset's plane networks, of its fusion network, and of both (random weights).

    Parameters
    ----------
    preset : str
        ``compact``, ``paper`` or ``paper-small``.
    size : int
        Edge of the cube in voxels, divisible by 8.
    """
    device = resolve_device(device_name)
    dtype = resolve_precision("auto", device)
    total = plain_total = 0.0
    for what, parts in (("two planes", _plane_parts), ("fusion", _fusion_parts)):
        fast, plain = parts(preset, size, device, dtype)
        with reused_memory():  # as the engine runs
            seconds = timed(fast, repeats)
        timing = Timing(preset, what, size, seconds, timed(plain, 1), resident_peak_gib())
        total, plain_total = total + timing.seconds, plain_total + timing.plain_seconds
        yield timing
    yield Timing(preset, "whole step", size, total, plain_total, resident_peak_gib())


def _frozen(network: Network, device: torch.device) -> Network:
    return network.to(device).eval().requires_grad_(False)


def _plane_parts(preset: str, size: int, device: torch.device, dtype: torch.dtype) -> tuple[Call, Call]:
    plain_network = _frozen(UNet(plane_unet(preset)), device)
    ours = channels_last(_frozen(UNet(plane_unet(preset)), device), 2)
    inputs = torch.randn(2, size, size, size, device=device)

    def fast() -> object:
        with torch.inference_mode(), torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            return [apply_plane(ours, inputs, 0.5, plane, slice_batch=16) for plane in PLANES]

    def plain() -> object:
        with torch.inference_mode():
            return _plain_planes(plain_network, inputs)

    return fast, plain


def _fusion_parts(preset: str, size: int, device: torch.device, dtype: torch.dtype) -> tuple[Call, Call]:
    plain_network = _frozen(FusionNetwork(fusion_unet(preset)), device)
    ours = channels_last(_frozen(FusionNetwork(fusion_unet(preset)), device), 3)
    x, branches = (torch.randn(1, channels, size, size, size, device=device) for channels in (1, 2))
    t = torch.full((1,), 0.5, device=device)

    def fast() -> object:
        with torch.inference_mode(), torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            return ours(x, x, branches, t)

    def plain() -> object:
        with torch.inference_mode():
            return plain_network(x, x, branches, t)

    return fast, plain
