"""The stages of the baselines: planes of a Schroedinger bridge, 2D regression, 2D and 3D conditional GAN."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.networks.blocks import channels_last
from napari_vol2vol.networks.monai_unet import MonaiUNet, monai_unet
from napari_vol2vol.sampling.bridge import make_bridge, on_bridge, target
from napari_vol2vol.sampling.latent import Latent, make_latent
from napari_vol2vol.sampling.planes import PLANES, Plane, as_slices
from napari_vol2vol.training.adversarial import AdversarialLoss, Pair, Pairs, make_discriminator
from napari_vol2vol.training.precision import faster_precision
from napari_vol2vol.training.recipe import Phase, Recipe
from napari_vol2vol.training.stages import Draw, Loss, make_plane_network

BASELINES = ("bridge", "regression-2d", "gan-2d", "gan-3d")


def make_baseline(recipe: Recipe, draw: Draw) -> tuple[nn.Module, Loss]:
    """Return the untrained network of a baseline stage and its loss, for a GAN an `AdversarialLoss`."""
    if recipe.stage == "bridge":
        return make_plane_network(recipe), bridge_loss(draw)
    if recipe.stage == "regression-2d":
        return make_monai_network(recipe), regression_2d_loss(draw)
    pairs = slice_pairs(draw) if recipe.stage == "gan-2d" else cube_pairs(draw)
    discriminator = make_discriminator(recipe.adversarial, len(recipe.inputs), dims_of(recipe))
    return make_monai_network(recipe), AdversarialLoss(pairs, discriminator, recipe.adversarial, recipe.loop)


def dims_of(recipe: Recipe) -> int:
    """Return whether the network of a MONAI stage is 2D or 3D."""
    return 3 if recipe.stage == "gan-3d" else 2


def make_monai_network(recipe: Recipe) -> MonaiUNet:
    """Return the untrained MONAI U-Net of a recipe, from its conditions to z, channels last."""
    dims = dims_of(recipe)
    inputs = len(recipe.inputs) * (recipe.consecutive if dims == 2 else 1)
    return channels_last(MonaiUNet(monai_unet(recipe.preset, dims, inputs)), dims)


@dataclass(frozen=True)
class Slices:
    """Consecutive slices: z0 `(N, k, h, w)`, conditions `(N, k, C, h, w)`, plane labels `(N,)`."""

    z0: Tensor
    conditions: Tensor
    labels: Tensor

    @property
    def inputs(self) -> Tensor:
        """The conditions as channels `(N, k * C, h, w)`, neighbours outermost, channels last."""
        return self.conditions.flatten(1, 2).contiguous(memory_format=torch.channels_last)

    @property
    def middle(self) -> int:
        """The index of the slice that is to be predicted."""
        return self.z0.shape[1] // 2


def draw_slices(draw: Draw, rng: np.random.Generator) -> Slices:
    """Return random slices of the planes of a recipe, in turn."""
    recipe = draw.recipe
    planes: list[Plane] = [recipe.planes[i % len(recipe.planes)] for i in range(recipe.batch)]  # type: ignore[misc]
    drawn = [_slices(draw, rng, plane) for plane in planes]
    labels = torch.tensor([PLANES.index(plane) for plane in planes])
    return Slices(torch.stack([z0 for z0, _ in drawn]), torch.stack([given for _, given in drawn]), labels)


def _slices(draw: Draw, rng: np.random.Generator, plane: Plane) -> tuple[Tensor, Tensor]:
    """Return consecutive slices of z0 `(k, h, w)` and of the conditions `(k, C, h, w)`."""
    recipe, axis = draw.recipe, PLANES.index(plane)
    block, count = recipe.factor[axis], recipe.consecutive
    size = [recipe.crop] * 3
    size[axis] = -(-(block + count - 1) // block) * block
    z0, named = draw.cube(rng, size)
    start = int(rng.integers(block))
    conditions = torch.stack([named[name] for name in recipe.inputs])
    window = slice(start, start + count)
    return as_slices(z0[None], plane)[window, 0], as_slices(conditions, plane)[window]


def bridge_loss(draw: Draw) -> Loss:
    """Return the loss of I2SB (eq. 12): x_t on the bridge between a slice and the first condition.

    Raises
    ------
    SettingsError
        If the recipe diffuses anything but the image: the bridge ends at an image.
    """
    recipe = draw.recipe
    if recipe.diffusion.what != "image":
        raise SettingsError(
            f"recipe diffusion what: found {recipe.diffusion.what!r}, a bridge accepts 'image' only"
        )
    schedule = make_bridge(recipe.diffusion.schedule, recipe.diffusion.schedule_parameters)

    def loss(network: nn.Module, step: int) -> Tensor:
        rng = draw.generator(step)
        drawn = draw_slices(draw, rng)
        x0, x1 = drawn.z0, drawn.conditions[:, :, 0] / draw.diffused.scale
        n = len(x0)
        t = torch.from_numpy(((rng.permutation(n) + rng.random(n)) / n).astype(np.float32))
        sigmas = [sigma.reshape(n, 1, 1, 1) for sigma in schedule(t)]
        noise = torch.from_numpy(rng.standard_normal(x0.shape, dtype=np.float32))
        x_t = on_bridge(x0, x1, noise, *sigmas)
        wanted = target(x0, x1, noise, *sigmas)[:, drawn.middle, None]
        inputs = torch.cat([x_t[:, :, None], drawn.conditions], 2).flatten(1, 2)
        with faster_precision():
            output, _ = network(inputs.contiguous(memory_format=torch.channels_last), t, drawn.labels)
        return F.mse_loss(output.float(), wanted)

    return loss


def regression_2d_loss(draw: Draw) -> Loss:
    """Return the loss of 2D regression: z0 of a slice from its conditions alone, in one network call."""

    def loss(network: nn.Module, step: int) -> Tensor:
        drawn = draw_slices(draw, draw.generator(step))
        with faster_precision():
            output, _ = network(drawn.inputs, None, drawn.labels)
        return F.mse_loss(output.float(), drawn.z0[:, drawn.middle, None])

    return loss


def slice_pairs(draw: Draw) -> Pairs:
    """Return the source of pairs of slices, true and generated, in model space."""

    def pairs(network: nn.Module, step: int) -> Pair:
        drawn = draw_slices(draw, draw.generator(step))
        with faster_precision():
            output, _ = network(drawn.inputs, None, drawn.labels)
        given = drawn.conditions[:, drawn.middle]
        latent = _latent(draw, given)
        real, fake = latent.decode(drawn.z0[:, drawn.middle]), latent.decode(output[:, 0].float())
        return Pair(given, real[:, None], fake[:, None])

    return pairs


def cube_pairs(draw: Draw) -> Pairs:
    """Return the source of pairs of cubes, true and generated, in model space."""

    def pairs(network: nn.Module, step: int) -> Pair:
        z0, given, _ = draw.stacked(draw.generator(step), phase_of(draw.recipe, step))
        with faster_precision():
            output, _ = network(given)
        latent = _latent(draw, given)
        return Pair(given, latent.decode(z0[:, 0])[:, None], latent.decode(output[:, 0].float())[:, None])

    return pairs


def _latent(draw: Draw, conditions: Tensor) -> Latent:
    named = dict(zip(draw.recipe.inputs, conditions.unbind(1), strict=True))
    return make_latent(draw.diffused.what, draw.diffused.scale, named)


def phase_of(recipe: Recipe, step: int) -> Phase:
    """Return the phase that a step belongs to; beyond the last, the last.

    Raises
    ------
    SettingsError
        If the recipe has none.
    """
    if not recipe.phases:
        raise SettingsError(f"recipe phases: found none, stage {recipe.stage} accepts one or more")
    ends = np.cumsum([phase.steps for phase in recipe.phases])
    return recipe.phases[min(int(np.searchsorted(ends, step, side="right")), len(ends) - 1)]
