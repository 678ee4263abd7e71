"""The guided-score stage: a 2D model of one modality that is told of a source by mutual information.

MIDiffusion (Wang et al. 2023, eq. 12): the condition is ``LMI(F; F, F_t)``, so no source is needed. The
network sees x_t at unit variance and predicts v, which is denoising score matching with weights by time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from napari_vol2vol.engine.allocation import reused_memory
from napari_vol2vol.errors import SettingsError
from napari_vol2vol.networks.blocks import channels_last
from napari_vol2vol.networks.local_mutual_information import LocalMutualInformation, WindowSettings
from napari_vol2vol.networks.presets import plane_unet
from napari_vol2vol.networks.unet import UNet
from napari_vol2vol.sampling.branches import Diffused
from napari_vol2vol.sampling.mutual_information_guide import GAIN, NO_MAP, guiding_layer
from napari_vol2vol.sampling.predictions import target, to_x0
from napari_vol2vol.sampling.schedules import time_of_noise, variance_preserving
from napari_vol2vol.training.export import amended_card, export_bundle
from napari_vol2vol.training.guided_images import TargetPool, as_source, draw_slices, target_pool
from napari_vol2vol.training.precision import faster_precision
from napari_vol2vol.training.recipe import Guidance, Recipe
from napari_vol2vol.training.stages import Loss
from napari_vol2vol.training.trainer import Loop

STAGE = "guided-score"
#: Noise over signal at which validation denoises, with the map and without.
LEVELS = (0.5, 2.0, 8.0)
HELD_OUT_SEED, HELD_OUT_IMAGES = 9700, 18


def window_of(guidance: Guidance) -> WindowSettings:
    """Return the settings of the layer."""
    known = {name: value for name, value in asdict(guidance).items() if name not in ("remapped", "unguided")}
    return WindowSettings(**known)


def told_of(
    layer: LocalMutualInformation, images: Tensor, noisy: Tensor, guidance: Guidance, rng: np.random.Generator
) -> Tensor:
    """Return what the network is shown, `(N, H, W)`: `GAIN` maps, `NO_MAP` for those left unguided."""
    sources = torch.stack([as_source(image, rng, guidance.remapped) for image in images])
    with torch.no_grad():
        told = layer(sources, noisy) * (GAIN / layer.largest)
    left = torch.from_numpy(rng.random(len(images)) < guidance.unguided)
    return torch.where(left[:, None, None], NO_MAP, told)


def guided_loss(pool: TargetPool, recipe: Recipe, diffused: Diffused) -> Loss:
    """Return the loss of denoising score matching under ``LMI(F; F, F_t)`` (eq. 12)."""
    layer = guiding_layer(window_of(recipe.guidance))

    def loss(network: nn.Module, step: int) -> Tensor:
        if step and step % recipe.pool.renew_every == 0:
            pool.renew()
        rng = np.random.default_rng([recipe.seed, 53, step])
        images, labels = draw_slices(pool, recipe, rng, recipe.batch)
        z0 = images / diffused.scale
        u = (np.arange(len(z0)) + rng.random(len(z0))) / len(z0)
        t = torch.from_numpy(rng.permutation(u).astype(np.float32))
        alpha, sigma = (c[:, None, None] for c in diffused.schedule(t))
        noise = torch.from_numpy(rng.standard_normal(z0.shape, dtype=np.float32))
        a, s, norm = variance_preserving(alpha, sigma)
        noisy = (alpha * z0 + sigma * noise) / norm
        told = told_of(layer, images, noisy, recipe.guidance, rng)
        wanted = target(diffused.prediction, z0, noise, a, s)
        inputs = torch.stack([noisy, told], 1).contiguous(memory_format=torch.channels_last)
        with faster_precision():
            output, _ = network(inputs, t, labels)
        return F.mse_loss(output[:, 0].float(), wanted)

    return loss


class GuidedValidation:
    """PSNR in dB (peak 1) of held-out images of the target after one denoising, with their map and without.

    No other modality enters: how well an unseen one is translated is for `vol2vol compare`.
    """

    def __init__(self, recipe: Recipe, diffused: Diffused) -> None:
        self.recipe, self.diffused = recipe, diffused
        self.layer = guiding_layer(window_of(recipe.guidance))

    @cached_property
    def _case(self) -> tuple[Tensor, Tensor]:
        """Slices of a procedural head that training does not draw, and their planes."""
        settings = replace(self.recipe.pool, entries=1, phantom_anatomies=1, phantom_share=1.0)
        held = replace(self.recipe, seed=HELD_OUT_SEED, pool=settings)
        rng = np.random.default_rng(HELD_OUT_SEED)
        return draw_slices(target_pool(held, []), held, rng, HELD_OUT_IMAGES)

    def __call__(self, network: nn.Module) -> dict[str, float]:
        """Return the figure for each level, ``map`` and ``alone``."""
        found = {}
        for level in LEVELS:
            found[f"psnr map noise {level:g}"] = self._denoised(network, level, guided=True)
            found[f"psnr alone noise {level:g}"] = self._denoised(network, level, guided=False)
        return found

    def _denoised(self, network: nn.Module, level: float, *, guided: bool) -> float:
        images, labels = self._case
        z0, t = images / self.diffused.scale, time_of_noise(self.diffused.schedule, level)
        a, s, _ = variance_preserving(*self.diffused.coefficients(t, z0))
        noise = np.random.default_rng(HELD_OUT_SEED).standard_normal(z0.shape, dtype=np.float32)
        noisy = a * z0 + s * torch.from_numpy(noise)
        with torch.inference_mode(), faster_precision():
            told = torch.full_like(noisy, NO_MAP)
            if guided:
                told = self.layer(images, noisy) * (GAIN / self.layer.largest)
            inputs = torch.stack([noisy, told], 1).contiguous(memory_format=torch.channels_last)
            output, _ = network(inputs, torch.full((len(z0),), t), labels)
        restored = to_x0(self.diffused.prediction, output[:, 0].float(), noisy, a, s) * self.diffused.scale
        return float(-10 * torch.log10(((restored - images) / 2).square().mean()))


def train_guided_score(
    recipe: Recipe,
    folder: Path,
    volumes: Sequence[NDArray[np.float32]],
    *,
    say: Callable[[str], None] = lambda text: None,
    cancel: threading.Event | None = None,
) -> Path:
    """Train a recipe of this stage as `training.run.train` does, and return the folder of its bundle.

    Parameters
    ----------
    volumes : sequence of arrays (z, y, x)
        Real volumes of the target, in [0, 1].

    Raises
    ------
    SettingsError
        If the recipe names inputs, or the network is to see several slices.
    """
    if recipe.inputs or recipe.consecutive != 1:
        raise SettingsError(
            f"recipe {recipe.name}: inputs: found {', '.join(recipe.inputs) or 'none'} and consecutive "
            f"{recipe.consecutive}, stage {STAGE} accepts none and 1: it sees the target alone"
        )
    torch.manual_seed(recipe.seed)
    say(f"preparing {recipe.pool.entries} volumes of {recipe.target}")
    pool, d = target_pool(recipe, volumes), recipe.diffusion
    diffused = Diffused(d.what, pool.scale_of(d.what), d.prediction, d.schedule, d.schedule_parameters)
    validation = GuidedValidation(recipe, diffused)
    checked = validation if recipe.loop.validate_every <= recipe.loop.steps else None
    network = channels_last(UNet(plane_unet(recipe.preset, conditions=1)), 2)
    loss = guided_loss(pool, recipe, diffused)
    loop = Loop(network, loss, recipe.loop, folder, checked, say, {"scale": diffused.scale}, cancel)
    with reused_memory():
        trained = loop.run()
    bundle = export_bundle(
        recipe, trained, network.config, folder / recipe.name, scale=loop.extra["scale"], steps=loop.step,
        seconds=loop.seconds, requires={}, figures=checked(trained) if checked else {},
    )  # fmt: skip
    _describe(bundle, recipe)
    say(f"wrote {bundle}")
    return bundle


def _describe(bundle: Path, recipe: Recipe) -> None:
    """Say in the card what only this stage's card says: the layer, and that any source will do."""
    with amended_card(bundle) as card:
        own = card["vol2vol"]
        own["network"]["guidance"] = asdict(window_of(recipe.guidance))
        own["modality"] = list(recipe.modality) or [recipe.target]
        own["training"] += f" No other modality than {recipe.target} was seen: any source is zero-shot."


__all__ = ["STAGE", "GuidedValidation", "guided_loss", "train_guided_score"]
