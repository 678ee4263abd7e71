"""What is learned from pairs of CT, native and arterial: a flow, a regression, a diffusion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_vol2vol.sampling.branches import Diffused
from napari_vol2vol.sampling.flow import linear_path
from napari_vol2vol.sampling.planes import PLANES, Plane
from napari_vol2vol.systems.mfm import NATIVE
from napari_vol2vol.training.flow_pool import TorsoPool
from napari_vol2vol.training.recipe import Recipe
from napari_vol2vol.training.stages import Loss, diffuse


@dataclass(frozen=True)
class Slices:
    """A batch of slices of both phases `(N, 1, h, w)` in model space, and their plane labels `(N,)`."""

    native: Tensor
    contrast: Tensor
    labels: Tensor

    def towards(self, target: str) -> tuple[Tensor, Tensor]:
        """Return the source and the result of the direction whose result is ``target``."""
        return (self.contrast, self.native) if target == NATIVE else (self.native, self.contrast)


def draw(pool: TorsoPool, recipe: Recipe, step: int) -> tuple[Slices, np.random.Generator]:
    """Return the slices of a step, of the planes of the recipe in turn, and the step's random numbers.

    The pool is renewed when it is time.
    """
    if step and step % recipe.pool.renew_every == 0:
        pool.renew()
    rng = np.random.default_rng([recipe.seed, 37, step])
    planes: list[Plane] = [recipe.planes[i % len(recipe.planes)] for i in range(recipe.batch)]  # type: ignore[misc]
    pairs = [pool.slices(rng, plane, recipe.crop) for plane in planes]
    native, contrast = (torch.stack(images)[:, None] for images in zip(*pairs, strict=True))
    return Slices(native, contrast, torch.tensor([PLANES.index(plane) for plane in planes])), rng


def flow_loss(pool: TorsoPool, recipe: Recipe) -> Loss:
    """Return the loss of flow matching: the velocity of random slices at random times (eq. 5)."""
    measure = {"mse": F.mse_loss, "l1": F.l1_loss}[recipe.diffusion.loss]

    def loss(network: nn.Module, step: int) -> Tensor:
        slices, rng = draw(pool, recipe, step)
        n = len(slices.native)
        t = random_times(rng, n, recipe.diffusion.ends)
        near, far = linear_path(t.reshape(n, 1, 1, 1))
        velocity = _answer(network, near * slices.native + far * slices.contrast, t)
        return measure(velocity, slices.contrast - slices.native)

    return loss


def random_times(rng: np.random.Generator, count: int, ends: float = 0.0) -> Tensor:
    """Return times `(count,)`, a share ``ends`` of them 0 or 1, the others spread evenly over [0, 1]."""
    t = (rng.permutation(count) + rng.random(count)) / count
    at_end = rng.random(count) < ends
    return torch.from_numpy(np.where(at_end, np.round(t), t).astype(np.float32))


def regression_loss(pool: TorsoPool, recipe: Recipe) -> Loss:
    """Return the mean absolute error of ``x - f(x, 1)``, x the source, from the result (section 3)."""

    def loss(network: nn.Module, step: int) -> Tensor:
        source, result = draw(pool, recipe, step)[0].towards(recipe.target)
        return F.l1_loss(source - _answer(network, source, torch.ones(len(source))), result)

    return loss


def diffusion_loss(pool: TorsoPool, recipe: Recipe, diffused: Diffused) -> Loss:
    """Return the loss of a diffusion of the result, conditioned on the source (eq. 2)."""

    def loss(network: nn.Module, step: int) -> Tensor:
        slices, rng = draw(pool, recipe, step)
        source, result = slices.towards(recipe.target)
        x_t, wanted, t = diffuse(
            result / diffused.scale, diffused.schedule, diffused.prediction, rng, recipe.diffusion.early
        )
        return F.mse_loss(_answer(network, torch.cat([x_t, source], 1), t, slices.labels), wanted)

    return loss


def _answer(network: nn.Module, x: Tensor, t: Tensor, labels: Tensor | None = None) -> Tensor:
    """Return what a 2D network says in bfloat16, as float32."""
    with torch.autocast("cpu", torch.bfloat16):
        output, _ = network(x.contiguous(memory_format=torch.channels_last), t, labels)
    return output.float()  # type: ignore[no-any-return]


__all__ = ["Slices", "diffusion_loss", "draw", "flow_loss", "random_times", "regression_loss"]
