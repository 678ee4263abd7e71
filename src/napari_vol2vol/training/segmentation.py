"""The segmentation stage: one 3D network from two contrasts, or what there is of them, to regions."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from napari_vol2vol.engine.allocation import reused_memory
from napari_vol2vol.errors import SettingsError
from napari_vol2vol.networks.blocks import channels_last
from napari_vol2vol.networks.segresnet import SegResNet, segresnet
from napari_vol2vol.phantoms.brain import REGIONS
from napari_vol2vol.tasks.segmentation import MISSING
from napari_vol2vol.training.baseline_stages import phase_of
from napari_vol2vol.training.export import export_bundle
from napari_vol2vol.training.precision import faster_precision
from napari_vol2vol.training.recipe import Recipe
from napari_vol2vol.training.segmentation_pool import CONTRASTS, RegionEntry, RegionPool
from napari_vol2vol.training.segmentation_validation import RegionValidation
from napari_vol2vol.training.stages import Loss
from napari_vol2vol.training.trainer import Loop

STAGE = "segmentation"
#: Shares of the cubes with one input missing, and with one random contrast in every channel. The first makes
#: a missing modality an honest lower end of the recovery rate, the second lets the encoder see a volume of
#: any contrast by itself, as FID and KID need it.
MISSING_SHARE, ALIKE_SHARE = 0.25, 0.25
#: Weights of `REGIONS` in both terms of the loss. Core and rim fill two thousandths of a cube each: weighted
#: alike, no lesion was found in the first 300 steps (Dice 0.00), with these after 80 more (oedema 0.23).
WEIGHTS = (1.0, 1.0, 1.0, 1.0, 8.0, 8.0, 4.0)


def make_segresnet(recipe: Recipe) -> SegResNet:
    """Return the untrained network of a recipe, from its inputs to the regions of a head, channels last."""
    return channels_last(SegResNet(segresnet(recipe.preset, len(recipe.inputs), REGIONS)), 3)


def channels_of(entry: RegionEntry, inputs: Sequence[str], rng: np.random.Generator) -> Tensor:
    """Return the channels `(C, D, H, W)` that the network is shown, in [-1, 1].

    Mostly the ``inputs``; sometimes one of them is missing, or all are one contrast (any of the pool). Each
    varies in contrast and brightness by itself.
    """
    names, missing, chance = list(inputs), -1, rng.random()
    if chance < ALIKE_SHARE:
        image = _varied(entry.images[str(rng.choice(CONTRASTS))], rng)
        return image.expand(len(names), *image.shape)
    if chance < ALIKE_SHARE + MISSING_SHARE and len(names) > 1:
        missing = int(rng.integers(len(names)))
    return torch.stack([
        torch.full_like(entry.images[name], MISSING) if i == missing else _varied(entry.images[name], rng)
        for i, name in enumerate(names)
    ])  # fmt: skip


def _varied(image: Tensor, rng: np.random.Generator) -> Tensor:
    """Vary contrast (gamma) and brightness, and go from [0, 1] to [-1, 1]."""
    gamma, gain = float(np.exp(rng.normal(0, 0.15))), float(rng.uniform(0.8, 1.2))
    return 2 * (gain * image**gamma).clamp(0, 1) - 1


def region_loss(pool: RegionPool, recipe: Recipe) -> Loss:
    """Return the loss of the stage: MONAI's soft Dice of the batch plus cross-entropy, over random cubes."""
    from monai.losses import DiceCELoss

    dice_ce: Callable[[Tensor, Tensor], Tensor] = DiceCELoss(
        to_onehot_y=True, softmax=True, batch=True, weight=torch.tensor(WEIGHTS)
    )

    def loss(network: nn.Module, step: int) -> Tensor:
        if step and step % recipe.pool.renew_every == 0:
            pool.renew()
        rng = np.random.default_rng([recipe.seed, 23, step])
        phase = phase_of(recipe, step)
        images, labels = [], []
        for _ in range(phase.batch):
            entry = _cropped(pool.entries[int(rng.integers(len(pool.entries)))], phase.crop, rng)
            images.append(channels_of(entry, recipe.inputs, rng))
            labels.append(entry.labels)
        with faster_precision():
            logits = network(torch.stack(images))
        return dice_ce(logits.float(), torch.stack(labels)[:, None].long())

    return loss


def _cropped(entry: RegionEntry, size: int, rng: np.random.Generator) -> RegionEntry:
    starts = [int(rng.integers(n - size + 1)) for n in entry.labels.shape]
    where = tuple(slice(s, s + size) for s in starts)
    return RegionEntry({name: image[where] for name, image in entry.images.items()}, entry.labels[where])


def train_segmentation(
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
        If the recipe names real volumes, which have no labels, or inputs that are not painted.
    """
    _check(recipe)
    torch.manual_seed(recipe.seed)
    say(f"preparing {recipe.pool.entries} cubes of {recipe.pool.phantom_anatomies} procedural heads")
    pool, network = RegionPool(recipe.pool, recipe.seed), make_segresnet(recipe)
    validation = RegionValidation(recipe.inputs)
    checked = validation if recipe.loop.validate_every <= recipe.loop.steps else None
    loop = Loop(network, region_loss(pool, recipe), recipe.loop, folder, checked, say, {}, cancel)
    with reused_memory():
        trained = loop.run()
    config: Any = network.config  # of another kind than translations have; written as it is
    bundle = export_bundle(
        recipe, trained, config, folder / recipe.name, scale=1.0, steps=loop.step, seconds=loop.seconds,
        requires={}, figures=checked(trained) if checked else {},
    )  # fmt: skip
    say(f"wrote {bundle}")
    return bundle


def _check(recipe: Recipe) -> None:
    if real := (*recipe.train, *recipe.validate):
        raise SettingsError(
            f"recipe {recipe.name}: train and validate: found {', '.join(real)}, stage {STAGE} accepts none: "
            "real volumes have no labels"
        )
    if unknown := [name for name in recipe.inputs if name not in CONTRASTS]:
        raise SettingsError(
            f"recipe {recipe.name}: inputs: found {', '.join(unknown)}, accepted are {', '.join(CONTRASTS)}"
        )
