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
from napari_vol2vol.training.precision import faster_precision
from napari_vol2vol.training.recipe import Recipe
from napari_vol2vol.training.stages import Loss, diffuse


@dataclass(frozen=True)
class Slices:
    """A batch of slices of both phases in model space `(N, k, h, w)`, and their plane labels `(N,)`.

    The k slices are neighbours, the middle one is what is learned of.
    """

    native: Tensor
    contrast: Tensor
    labels: Tensor

    def towards(self, target: str) -> tuple[Tensor, Tensor]:
        """Return the source and the result of the direction whose result is ``target``."""
        return (self.contrast, self.native) if target == NATIVE else (self.native, self.contrast)

    @property
    def unchanged(self) -> Tensor:
        """Whether both phases are the same scan, `(N,)`."""
        return (self.native == self.contrast).flatten(1).all(1)


def middle(slices: Tensor) -> Tensor:
    """Return the middle one `(N, 1, h, w)` of neighbouring slices `(N, k, h, w)`."""
    k = slices.shape[1] // 2
    return slices[:, k : k + 1]


MEASURES = {"mse": F.mse_loss, "l1": F.l1_loss}


def draw(pool: TorsoPool, recipe: Recipe, step: int) -> tuple[Slices, np.random.Generator]:
    """Return the slices of a step, of the planes of the recipe in turn, and the step's random numbers.

    The pool is renewed when it is time.
    """
    if step and step % recipe.pool.renew_every == 0:
        pool.renew()
    rng = np.random.default_rng([recipe.seed, 37, step])
    planes: list[Plane] = [recipe.planes[i % len(recipe.planes)] for i in range(recipe.batch)]  # type: ignore[misc]
    count = max(1, recipe.source_slices)
    pairs = [pool.stacks(rng, plane, recipe.crop, count) for plane in planes]
    native, contrast = (torch.stack(images) for images in zip(*pairs, strict=True))
    return Slices(native, contrast, torch.tensor([PLANES.index(plane) for plane in planes])), rng


def flow_loss(pool: TorsoPool, recipe: Recipe) -> Loss:
    """Return the loss of flow matching: the velocity of random slices at random times (eq. 5).

    Where the network sees the source, a share ``diffusion.removal`` of the draws goes from the contrast scan.
    """
    if recipe.source_slices:
        return _sourced_flow_loss(pool, recipe)
    measure = MEASURES[recipe.diffusion.loss]

    def loss(network: nn.Module, step: int) -> Tensor:
        slices, rng = draw(pool, recipe, step)
        n = len(slices.native)
        t = random_times(rng, n, recipe.diffusion.ends)
        near, far = linear_path(t.reshape(n, 1, 1, 1))
        velocity = _answer(network, near * slices.native + far * slices.contrast, t)
        return measure(velocity, slices.contrast - slices.native)

    return loss


def _sourced_flow_loss(pool: TorsoPool, recipe: Recipe) -> Loss:
    measure = MEASURES[recipe.diffusion.loss]

    def loss(network: nn.Module, step: int) -> Tensor:
        slices, rng = draw(pool, recipe, step)
        n = len(slices.native)
        # a scan without contrast medium has nothing to remove; of adding it says nothing
        removal = torch.from_numpy(rng.random(n) < recipe.diffusion.removal) | slices.unchanged
        # what lies beyond the source gives the result away: x_t and the source say where the line leads
        at_source = torch.from_numpy(rng.random(n) < recipe.diffusion.ends) | slices.unchanged
        t = torch.where(at_source, removal.float(), random_times(rng, n))
        away = torch.from_numpy(rng.random(n) < recipe.diffusion.own) & ~slices.unchanged
        t = torch.where(away, torch.where(removal, 0.0, 1.0), t)
        twice = torch.from_numpy(rng.random(n) < recipe.diffusion.twice)
        t, away = torch.where(twice, removal.float(), t), away & ~twice
        source = torch.where(_as_images(removal), slices.contrast, slices.native)
        native, contrast = middle(slices.native), middle(slices.contrast)
        near, far = linear_path(_as_images(t))
        x_t, wanted = near * native + far * contrast, contrast - native
        if away.any():
            x_t[away] = _euler(network, source[away], removal[away])
        found = _answer(network, torch.cat([x_t, source], 1), t)
        if not twice.any():
            return measure(found, wanted)
        own = _end(x_t, found.detach(), removal)
        again = _answer(network, torch.cat([own, source], 1)[twice], 1 - t[twice])
        calls = measure(torch.cat([found, again]), torch.cat([wanted, wanted[twice]]))
        if not (weight := recipe.diffusion.mean):
            return calls
        return calls + weight * measure((found[twice] + again) / 2, wanted[twice])

    return loss


@torch.no_grad()
def _euler(network: nn.Module, source: Tensor, removal: Tensor) -> Tensor:
    """Return where one Euler step of the network leads from the middle slices of a source."""
    start = middle(source)
    return _end(start, _answer(network, torch.cat([start, source], 1), removal.float()), removal)


def _end(start: Tensor, velocity: Tensor, removal: Tensor) -> Tensor:
    """Return where one step over all of the time leads, down it for a removal, else up."""
    return start - torch.where(_as_images(removal), velocity, -velocity)


def _as_images(values: Tensor) -> Tensor:
    return values.reshape(-1, 1, 1, 1)


def random_times(rng: np.random.Generator, count: int, ends: float = 0.0) -> Tensor:
    """Return times `(count,)`, a share ``ends`` of them 0 or 1, the others spread evenly over [0, 1]."""
    t = (rng.permutation(count) + rng.random(count)) / count
    at_end = rng.random(count) < ends
    return torch.from_numpy(np.where(at_end, np.round(t), t).astype(np.float32))


def regression_loss(pool: TorsoPool, recipe: Recipe) -> Loss:
    """Return the mean absolute error of ``x - f(x, 1)``, x the source, from the result (section 3)."""

    def loss(network: nn.Module, step: int) -> Tensor:
        sources, results = draw(pool, recipe, step)[0].towards(recipe.target)
        source = middle(sources)
        seen = torch.cat([source, sources], 1) if recipe.source_slices else source
        return F.l1_loss(source - _answer(network, seen, torch.ones(len(seen))), middle(results))

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
    """Return what a 2D network says, in the faster precision, as float32."""
    with faster_precision():
        output, _ = network(x.contiguous(memory_format=torch.channels_last), t, labels)
    return output.float()  # type: ignore[no-any-return]


__all__ = ["Slices", "diffusion_loss", "draw", "flow_loss", "random_times", "regression_loss"]
