"""Seconds of contrast removal on a whole scan, against a plain loop over slices in float32."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from napari_vol2vol.bundles.library import find_bundle, required_bundles
from napari_vol2vol.bundles.weights import load_velocity
from napari_vol2vol.engine import Translation, translate
from napari_vol2vol.engine.allocation import reused_memory
from napari_vol2vol.engine.device import resolve_precision
from napari_vol2vol.engine.run import DEFAULT_SLICE_BATCH
from napari_vol2vol.networks.velocity import VelocityNetwork, source_slices_of
from napari_vol2vol.phantoms.torso_ct import make_torso_pair
from napari_vol2vol.sampling.flow import network_calls
from napari_vol2vol.sampling.plane_velocity import plane_velocity
from napari_vol2vol.systems.body_box import body_box
from napari_vol2vol.tasks.contrast_change import REMOVAL
from napari_vol2vol.volume import Volume

#: Millimetres that the scan covers along its width and height.
WIDTH_MM, HEIGHT_MM = 380.0, 400.0


@dataclass(frozen=True)
class ContrastTiming:
    """Seconds of the whole run (checks, HU, grain and all) and of network calls alone.

    ``batched_seconds_a_call`` is what a slice takes in a call as the run makes it, ``plain_seconds_a_call``
    in the plain loop. ``gflop`` is the arithmetic of a slice and call in the run, which sees the body alone,
    and ``plain_gflop`` in the loop; ``product_gflop_a_second`` is what a product of large matrices reaches on
    this machine in ``precision``, that of the run: no network goes faster.
    """

    shape: tuple[int, int, int]
    solver: str
    steps: int
    calls: int
    seconds: float
    batched_seconds_a_call: float
    plain_seconds_a_call: float
    gflop: float
    plain_gflop: float
    product_gflop_a_second: float
    precision: str = "float32"

    @property
    def seconds_a_slice(self) -> float:
        """Of the run, everything included."""
        return self.seconds / self.shape[0]

    @property
    def seconds_a_call(self) -> float:
        """Of the run, by slice and network call."""
        return self.seconds_a_slice / self.calls

    @property
    def faster(self) -> float:
        """How many times faster a network call is than in the plain loop."""
        return self.plain_seconds_a_call / self.batched_seconds_a_call

    @property
    def run_faster(self) -> float:
        """How many times faster the whole run is than the calls of the plain loop."""
        return self.plain_seconds_a_call / self.seconds_a_call

    @property
    def bound(self) -> float:
        """How many times faster it could be, if the run were nothing but matrix products."""
        return self.plain_seconds_a_call / (self.gflop / self.product_gflop_a_second)


def bench_contrast(
    size: int = 512, slices: int = 200, *, solver: str = "rk2", steps: int = 1, bundle: str | None = None,
    plain_slices: int = 12,
) -> ContrastTiming:  # fmt: skip
    """Time `mfm` on a procedural scan of ``slices`` x ``size`` x ``size``.

    The plain loop calls the same network for ``plain_slices`` slices, one at a time, in float32 and in
    PyTorch's default memory layout.
    """
    scan = _scan(size, slices)
    request = Translation("contrast-removal", "mfm", bundle=bundle, solver=solver, steps=steps)
    begin = time.perf_counter()
    for _ in translate(request, scan):
        pass
    seconds = time.perf_counter() - begin
    dtype = resolve_precision("auto", torch.device("cpu"))
    source = REMOVAL.prepare(scan, REMOVAL.default_factor, 1).plain
    velocity = _velocity(bundle)
    body = body_box(source, velocity.config.multiple)
    batched = _batched_seconds(velocity, source[body].contiguous(), dtype)
    network, images = _plain(velocity, source[:plain_slices])
    return ContrastTiming(
        scan.shape, solver, steps, network_calls(solver, steps), seconds, batched,
        _plain_seconds(network, images), _gflop(network, images[:1, 0][..., body[1], body[2]]),
        _gflop(network, images[0]), _product_speed(dtype), str(dtype).removeprefix("torch."),
    )  # fmt: skip


def _scan(size: int, slices: int) -> Volume:
    spacing = (HEIGHT_MM / slices, WIDTH_MM / size, WIDTH_MM / size)
    few = min(slices, 8)  # anatomy repeats: it does not change the time
    made = make_torso_pair(970001, (max(16, few), size, size), spacing).contrast[:few]
    data = np.concatenate([made] * -(-slices // few))[:slices]
    return Volume.from_array(data, spacing, modality="CT", units="HU", name="procedural scan")


def _velocity(bundle: str | None) -> VelocityNetwork:
    card = find_bundle(bundle, "contrast-removal", "mfm")
    return load_velocity(next(iter(required_bundles(card).values()), card), torch.device("cpu"))


@torch.inference_mode()
def _batched_seconds(network: VelocityNetwork, source: Tensor, dtype: torch.dtype) -> float:
    """Return the seconds of a slice in one call over all slices of a source, as a run makes it."""
    count, batch = source_slices_of(network.config), DEFAULT_SLICE_BATCH["cpu"]
    with reused_memory(), torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
        for seen in (source[:batch], source):  # the first call of all is slower
            begin = time.perf_counter()
            plane_velocity(network, "axial", seen, count, slice_batch=batch)(seen, 1.0)
        return (time.perf_counter() - begin) / len(source)


def _plain(velocity: VelocityNetwork, source: Tensor) -> tuple[VelocityNetwork, Tensor]:
    """Return the network in float32 and PyTorch's default layout, and inputs `(1, C, H, W)` of slices."""
    channels = velocity.config.in_channels  # where the source is seen too, it is the same scan at t = 1
    network: VelocityNetwork = velocity.to(torch.float32, memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    return network, source[:, None, None].expand(-1, -1, channels, -1, -1).contiguous()


@torch.inference_mode()
def _plain_seconds(network: nn.Module, images: Tensor) -> float:
    t = torch.ones(1)
    network(images[0], t)
    begin = time.perf_counter()
    for image in images:
        network(image, t)
    return (time.perf_counter() - begin) / len(images)


@torch.inference_mode()
def _gflop(network: nn.Module, image: Tensor) -> float:
    with FlopCounterMode(display=False) as counter:
        network(image, torch.ones(1))
    return float(counter.get_total_flops()) / 1e9


def _product_speed(dtype: torch.dtype, size: int = 2048, repeats: int = 5) -> float:
    """Return the GFLOP a second of the product of two square matrices."""
    a = torch.randn(size, size).to(dtype)
    a @ a
    begin = time.perf_counter()
    for _ in range(repeats):
        a @ a
    return 2e-9 * size**3 * repeats / (time.perf_counter() - begin)
