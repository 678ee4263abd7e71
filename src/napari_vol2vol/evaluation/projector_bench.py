"""CT projection against rotate-and-sum: seconds on the same volume, errors against analytic sinograms."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import pi

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from napari_vol2vol.phantoms.ellipses import random_ellipses, render, sinogram
from napari_vol2vol.physics.parallel_beam import ParallelBeam

PHANTOMS = 4
OVERSAMPLING = 8


@dataclass(frozen=True)
class ProjectorTiming:
    """Seconds of A and of its adjoint on a volume; ``error`` is the relative L2 error of the sinograms.

    ``mismatch`` is ``|<A x, y> - <x, A^T y>| / (|A x| |y|)`` on noise; ``build_seconds`` what is paid once.
    """

    method: str
    forward_seconds: float
    adjoint_seconds: float
    error: float
    mismatch: float
    build_seconds: float = 0.0

    @property
    def seconds(self) -> float:
        """Forward and adjoint."""
        return self.forward_seconds + self.adjoint_seconds


def rotate_and_sum(volume: Tensor, angles: Tensor, bins: int) -> Tensor:
    """Return `(D, views, bins)` by bilinear rotation of the slices `(D, n, n)`, then sums over rows.

    What reconstruction codes without a system matrix do; its adjoint is its gradient.
    """
    size = volume.shape[-1]
    across = (torch.arange(bins, device=volume.device) - (bins - 1) / 2) * (2 / size)
    along = (torch.arange(size, device=volume.device) - (size - 1) / 2) * (2 / size)
    u, s = torch.meshgrid(along, across, indexing="ij")
    views = []
    for angle in angles:
        x, y = s * torch.cos(angle) - u * torch.sin(angle), s * torch.sin(angle) + u * torch.cos(angle)
        turned = F.grid_sample(volume[None], torch.stack([x, -y], -1)[None], align_corners=False)
        views.append(turned[0].sum(1))
    return torch.stack(views, 1)


def bench_projectors(
    size: int = 256, slices: int = 64, views: int = 60, *, device: str = "cpu", repeats: int = 3
) -> Iterator[ProjectorTiming]:
    """Time the sparse system matrix, then rotate-and-sum, with ``size`` detector bins of one pixel each.

    Both project the same phantoms; the errors say that the accuracy is the same.
    """
    angles = np.arange(views) * 180.0 / views
    phantoms = [random_ellipses(np.random.default_rng(seed), "disc") for seed in range(PHANTOMS)]
    images = [render(p, (size, size), oversampling=OVERSAMPLING) for p in phantoms]
    exact = torch.from_numpy(np.stack([sinogram(p, (size, size), angles, size) for p in phantoms])).float()
    few = torch.from_numpy(np.stack(images)).float()
    volume = few.repeat(-(-slices // PHANTOMS), 1, 1)[:slices].to(device)

    begin = time.perf_counter()
    projector = ParallelBeam((size, size), tuple(angles.tolist()), bins=size)
    projector.adjoint(projector(volume))
    build = time.perf_counter() - begin
    yield _timed(
        "sparse system matrix",
        volume,
        exact,
        projector,
        projector.adjoint,
        1 / projector.gain,
        repeats,
        build,
    )
    turns = torch.from_numpy(angles * pi / 180).float().to(device)
    inputs = volume.clone().requires_grad_()
    output = rotate_and_sum(inputs, turns, size)

    def adjoint(y: Tensor) -> Tensor:
        (gradient,) = torch.autograd.grad(output, inputs, y, retain_graph=True)
        return gradient

    yield _timed(
        "rotate and sum", volume, exact, lambda x: rotate_and_sum(x, turns, size), adjoint, 1.0, repeats
    )


def _timed(
    method: str,
    volume: Tensor,
    exact: Tensor,
    forward: Callable[[Tensor], Tensor],
    adjoint: Callable[[Tensor], Tensor],
    scale: float,
    repeats: int,
    build: float = 0.0,
) -> ProjectorTiming:
    with torch.no_grad():
        found = forward(volume)
    error = float((found[:PHANTOMS].cpu() * scale - exact[: len(found)]).norm() / exact[: len(found)].norm())
    y = torch.randn(found.shape, generator=torch.Generator().manual_seed(0)).to(volume.device)
    back = adjoint(y)
    left, right = (found.double() * y.double()).sum(), (volume.double() * back.double()).sum()
    mismatch = float((left - right).abs() / (found.double().norm() * y.double().norm()))

    def best(call: Callable[[], object]) -> float:
        seconds = []
        for _ in range(repeats):
            begin = time.perf_counter()
            call()
            if volume.device.type == "cuda":
                torch.cuda.synchronize()
            seconds.append(time.perf_counter() - begin)
        return min(seconds)

    with torch.no_grad():
        forward_seconds = best(lambda: forward(volume))
    return ProjectorTiming(method, forward_seconds, best(lambda: adjoint(y)), error, mismatch, build)
