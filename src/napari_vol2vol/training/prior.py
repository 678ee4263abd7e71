"""The prior stage: an unconditional 2D diffusion of images that are made while it trains."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_vol2vol.engine.allocation import reused_memory
from napari_vol2vol.errors import SettingsError
from napari_vol2vol.networks.blocks import channels_last
from napari_vol2vol.networks.presets import prior_network
from napari_vol2vol.networks.unet import UNet
from napari_vol2vol.sampling.branches import Diffused
from napari_vol2vol.sampling.predictions import to_x0
from napari_vol2vol.sampling.schedules import time_of_noise
from napari_vol2vol.training.export import amended_card, export_bundle
from napari_vol2vol.training.precision import faster_precision
from napari_vol2vol.training.prior_images import SOURCES, ImagePool, make_pool, root_mean_square
from napari_vol2vol.training.recipe import Recipe
from napari_vol2vol.training.stages import Loss, diffuse
from napari_vol2vol.training.trainer import Loop

STAGE = "prior"
TASK = "reconstruction-prior"
#: Noise over signal, in units of the images' root mean square, at which validation denoises.
LEVELS = (0.1, 0.3, 1.0)
HELD_OUT_SEED, HELD_OUT_IMAGES = 9500, 16


def prior_loss(pool: ImagePool, recipe: Recipe, diffused: Diffused) -> Loss:
    """Return the loss of denoising score matching on random crops (DDIP, eq. 3)."""

    def loss(network: nn.Module, step: int) -> Tensor:
        if step and step % recipe.pool.renew_every == 0:
            pool.renew()
        rng = np.random.default_rng([recipe.seed, 47, step])
        images = torch.stack([pool.draw(rng, recipe.crop) for _ in range(recipe.batch)])
        z0 = images / diffused.scale
        x_t, wanted, t = diffuse(z0, diffused.schedule, diffused.prediction, rng, recipe.diffusion.early)
        with faster_precision():
            output, _ = network(x_t.contiguous(memory_format=torch.channels_last), t)
        return F.mse_loss(output.float(), wanted)

    return loss


class PriorValidation:
    """PSNR in dB (peak 1) of held-out images after one denoising, at several levels of noise."""

    def __init__(self, recipe: Recipe, diffused: Diffused) -> None:
        self.recipe, self.diffused = recipe, diffused

    @cached_property
    def images(self) -> Tensor:
        """Images of a seed that training does not reach, made when first asked for."""
        settings = replace(self.recipe.pool, entries=HELD_OUT_IMAGES, phantom_anatomies=1)
        pool = make_pool(replace(self.recipe, seed=HELD_OUT_SEED, pool=settings))
        rng = np.random.default_rng(HELD_OUT_SEED)
        return torch.stack([pool.draw(rng, self.recipe.crop) for _ in range(HELD_OUT_IMAGES)])

    def __call__(self, network: nn.Module) -> dict[str, float]:
        """Return the figure for each level, named after it."""
        return {f"psnr noise {level:g}": self._denoised(network, level) for level in LEVELS}

    def _denoised(self, network: nn.Module, level: float) -> float:
        z0, t = self.images / self.diffused.scale, time_of_noise(self.diffused.schedule, level)
        alpha, sigma = self.diffused.coefficients(t, z0)
        noise = np.random.default_rng(HELD_OUT_SEED).standard_normal(z0.shape, dtype=np.float32)
        x_t = alpha * z0 + sigma * torch.from_numpy(noise)
        with torch.inference_mode(), faster_precision():
            output, _ = network(x_t.contiguous(memory_format=torch.channels_last), torch.full((len(z0),), t))
        found = to_x0(self.diffused.prediction, output.float(), x_t, alpha, sigma) * self.diffused.scale
        return float(-10 * torch.log10((found - self.images).square().mean()))


def train_prior(
    recipe: Recipe,
    folder: Path,
    *,
    say: Callable[[str], None] = lambda text: None,
    cancel: threading.Event | None = None,
) -> Path:
    """Train a recipe of this stage as `training.run.train` does, and return the folder of its bundle.

    Raises
    ------
    SettingsError
        If the recipe names real volumes or conditions, which a prior has none of, or unknown images.
    """
    if given := (*recipe.train, *recipe.validate, *recipe.inputs):
        raise SettingsError(
            f"recipe {recipe.name}: train, validate and inputs: found {', '.join(given)}, stage {STAGE} "
            "accepts none: it is unconditional and makes its own images"
        )
    torch.manual_seed(recipe.seed)
    say(f"preparing {recipe.pool.entries} images")
    pool = make_pool(recipe)
    d = recipe.diffusion
    scale = root_mean_square(pool, recipe.crop)
    diffused = Diffused("image", scale, d.prediction, d.schedule, d.schedule_parameters)
    validation = PriorValidation(recipe, diffused)
    checked = validation if recipe.loop.validate_every <= recipe.loop.steps else None
    network = channels_last(UNet(prior_network(recipe.preset, recipe.channels)), 2)
    loss = prior_loss(pool, recipe, diffused)
    loop = Loop(network, loss, recipe.loop, folder, checked, say, {"scale": scale}, cancel)
    with reused_memory():
        trained = loop.run()
    bundle = export_bundle(
        recipe, trained, network.config, folder / recipe.name, scale=loop.extra["scale"], steps=loop.step,
        seconds=loop.seconds, requires={}, figures=checked(trained) if checked else {},
    )  # fmt: skip
    _describe(bundle, recipe, loop)
    say(f"wrote {bundle}")
    return bundle


def _describe(bundle: Path, recipe: Recipe, loop: Loop) -> None:
    """Say in the card what only a prior's card says: its images, and that any grid will do."""
    with amended_card(bundle) as card:
        card["data_source"] = SOURCES[recipe.images]
        own = card["vol2vol"]
        own["modality"], own["input_spacing_mm"] = list(recipe.modality), [[0.1] * 3, [20.0] * 3]
        own["training"] = (
            f"recipe {recipe.name}, seed {recipe.seed}, {loop.step} steps, {loop.seconds / 60:.0f} CPU "
            f"minutes. No scans: {card['data_source']} alone, made while training; validation: those of "
            "another seed."
        )
