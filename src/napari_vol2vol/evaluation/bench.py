"""Seconds a step and peak memory of the network presets against a plain slice-by-slice float32 loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from napari_vol2vol.engine.device import resolve_device, resolve_precision
from napari_vol2vol.evaluation.super_resolution_table import peak_memory_gib
from napari_vol2vol.networks.fusion import FusionNetwork
from napari_vol2vol.networks.presets import fusion_unet, plane_unet
from napari_vol2vol.networks.unet import UNet
from napari_vol2vol.sampling.planes import Plane, apply_plane

PLANES: tuple[Plane, ...] = ("axial", "sagittal")


@dataclass(frozen=True)
class Timing:
    """Seconds of one denoising step (two planes, and the fusion network where named) on a cube of ``size`` voxels."""

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


def _timed(function: Callable[[], object], repeats: int) -> float:
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
    """Time one step of a preset's plane networks and of its fusion network (random weights).

    Parameters
    ----------
    preset : str
        ``compact``, ``paper`` or ``paper-small``.
    size : int
        Edge of the cube in voxels, divisible by 8.
    """
    device = resolve_device(device_name)
    dtype = resolve_precision("auto", device)
    plain_network = UNet(plane_unet(preset)).to(device).eval().requires_grad_(False)
    ours = UNet(plane_unet(preset)).to(device, memory_format=torch.channels_last).eval().requires_grad_(False)  # type: ignore[call-overload]
    inputs = torch.randn(2, size, size, size, device=device)

    def fast() -> object:
        with torch.inference_mode(), torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            return [apply_plane(ours, inputs, 0.5, plane, slice_batch=16) for plane in PLANES]

    def plain() -> object:
        with torch.inference_mode():
            return _plain_planes(plain_network, inputs)

    seconds = _timed(fast, repeats)
    yield Timing(preset, "two planes", size, seconds, _timed(plain, 1), peak_memory_gib())
    del plain_network, ours
    config = fusion_unet(preset)
    network = FusionNetwork(config).to(device).eval().requires_grad_(False)
    quick = FusionNetwork(config).to(device, memory_format=torch.channels_last_3d).eval().requires_grad_(False)  # type: ignore[call-overload]
    x, branches = torch.randn(1, 1, size, size, size, device=device), torch.randn(1, 2, size, size, size, device=device)
    t = torch.full((1,), 0.5, device=device)

    def fast_fusion() -> object:
        with torch.inference_mode(), torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            return quick(x, x, branches, t)

    def plain_fusion() -> object:
        with torch.inference_mode():
            return network(x, x, branches, t)

    seconds = _timed(fast_fusion, repeats)
    yield Timing(preset, "fusion", size, seconds, _timed(plain_fusion, 1), peak_memory_gib())
