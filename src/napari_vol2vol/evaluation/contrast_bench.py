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
from napari_vol2vol.networks.velocity import VelocityNetwork
from napari_vol2vol.phantoms.torso_ct import make_torso_pair
from napari_vol2vol.sampling.flow import network_calls
from napari_vol2vol.systems.body_box import body_box
from napari_vol2vol.tasks.contrast_change import REMOVAL
from napari_vol2vol.volume import Volume

#: Millimetres that the scan covers along its width and height.
WIDTH_MM, HEIGHT_MM = 380.0, 400.0


@dataclass(frozen=True)
class ContrastTiming:
    """Seconds of the whole run (reading, padding, HU and all) and of the plain loop, which calls alone.

    ``gflop`` is the arithmetic of a slice and call in the run, which sees the body alone, and
    ``plain_gflop`` in the loop; ``product_gflop_a_second`` is what a product of large matrices in float32
    reaches on this machine: no network in float32 goes faster.
    """

    shape: tuple[int, int, int]
    solver: str
    steps: int
    calls: int
    seconds: float
    plain_seconds_a_call: float
    gflop: float
    plain_gflop: float
    product_gflop_a_second: float

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
        """How many times faster than the plain loop."""
        return self.plain_seconds_a_call / self.seconds_a_call

    @property
    def bound(self) -> float:
        """How many times faster it could be in float32, if the run were nothing but matrix products."""
        return self.plain_seconds_a_call / (self.gflop / self.product_gflop_a_second)


def bench_contrast(
    size: int = 512, slices: int = 200, *, solver: str = "rk2", steps: int = 1, bundle: str | None = None,
    plain_slices: int = 4,
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
    network, images = _plain(scan, bundle, plain_slices)
    body = body_box(images[:, 0, 0], network.config.multiple)
    return ContrastTiming(
        scan.shape, solver, steps, network_calls(solver, steps), seconds, _plain_seconds(network, images),
        _gflop(network, images[:1, 0][..., body[1], body[2]]), _gflop(network, images[0]), _product_speed(),
    )  # fmt: skip


def _scan(size: int, slices: int) -> Volume:
    spacing = (HEIGHT_MM / slices, WIDTH_MM / size, WIDTH_MM / size)
    few = min(slices, 8)  # anatomy repeats: it does not change the time
    made = make_torso_pair(970001, (max(16, few), size, size), spacing).contrast[:few]
    data = np.concatenate([made] * -(-slices // few))[:slices]
    return Volume.from_array(data, spacing, modality="CT", units="HU", name="procedural scan")


def _plain(scan: Volume, bundle: str | None, count: int) -> tuple[VelocityNetwork, Tensor]:
    """Return the network in float32 and PyTorch's default layout, and ``count`` inputs `(1, C, H, W)`."""
    card = find_bundle(bundle, "contrast-removal", "mfm")
    velocity = load_velocity(next(iter(required_bundles(card).values()), card), torch.device("cpu"))
    channels = velocity.config.in_channels  # where the source is seen too, it is the same scan at t = 1
    network: VelocityNetwork = velocity.to(torch.float32, memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    images = REMOVAL.prepare(scan, REMOVAL.default_factor, 1).plain[:count, None, None]
    return network, images.expand(-1, -1, channels, -1, -1).contiguous()


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


def _product_speed(size: int = 2048, repeats: int = 5) -> float:
    """Return the GFLOP a second of the product of two square matrices in float32."""
    a = torch.randn(size, size)
    a @ a
    begin = time.perf_counter()
    for _ in range(repeats):
        a @ a
    return 2e-9 * size**3 * repeats / (time.perf_counter() - begin)
