"""`vol2vol train`: from a recipe to a bundle."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from napari_vol2vol.bundles.card import BundleCard, read_card
from napari_vol2vol.bundles.library import find_bundle
from napari_vol2vol.bundles.weights import load_unet
from napari_vol2vol.errors import SettingsError
from napari_vol2vol.networks.fusion import FusionNetwork
from napari_vol2vol.networks.unet import UNet
from napari_vol2vol.training.export import export_bundle
from napari_vol2vol.training.pool import VolumePool
from napari_vol2vol.training.recipe import Recipe
from napari_vol2vol.training.stages import (
    Draw,
    Loss,
    fusion_loss,
    load_training_volume,
    make_fusion_network,
    make_plane_network,
    make_regression_network,
    plane_loss,
    regression_loss,
)
from napari_vol2vol.training.trainer import Loop
from napari_vol2vol.training.validation import Validation

Say = Callable[[str], None]


def volumes_folder() -> Path:
    """Return where ``scripts/fetch_volumes.py`` puts volumes: ``VOL2VOL_VOLUMES`` or the user's cache."""
    return Path(os.environ.get("VOL2VOL_VOLUMES") or Path.home() / ".cache" / "vol2vol-volumes")


def find_volumes(names: tuple[str, ...], folder: Path) -> list[Path]:
    """Return the NIfTI files of named volumes.

    Raises
    ------
    SettingsError
        Listing those that are missing and the command that fetches them.
    """
    paths = [folder / f"{name}.nii.gz" for name in names]
    if missing := [p.name.removesuffix(".nii.gz") for p in paths if not p.exists()]:
        raise SettingsError(
            f"volumes: {', '.join(missing)} not found in {folder}; fetch them with "
            f"`python scripts/fetch_volumes.py {' '.join(missing)} --to {folder}`"
        )
    return paths


def train(recipe: Recipe, folder: Path, *, volumes: Path | None = None, say: Say = lambda text: None) -> Path:
    """Train a recipe in ``folder``, resuming what is there, and return the folder of the finished bundle.

    Raises
    ------
    SettingsError
        If volumes or the plane bundle are missing.
    """
    torch.manual_seed(recipe.seed)
    data = volumes or volumes_folder()
    real = [load_training_volume(path) for path in find_volumes(recipe.train, data)]
    held_out = [load_training_volume(path) for path in find_volumes(recipe.validate, data)]
    card = _planes_card(recipe, folder)
    planes = load_unet(card, torch.device("cpu")) if card else None
    requires = {card.name: next(iter(card.weights.values()))} if card else {}
    say(f"preparing {recipe.pool.entries} augmented volumes")
    pool = VolumePool(real, recipe.factor, recipe.pool, recipe.seed)
    scale = card.diffusion["scale"] if card else pool.residual_scale()
    draw = Draw(pool, recipe, scale)
    network, loss, scales = _stage(recipe, draw, planes)
    validation = Validation(recipe, held_out, scale, planes, scales)
    loop = Loop(network, loss, recipe.loop, folder, validation if held_out else None, say, {"scale": scale})
    trained = loop.run()
    unet = trained.unet if isinstance(trained, FusionNetwork) else trained
    assert isinstance(unet, UNet)
    bundle = export_bundle(
        recipe, trained, unet.config, folder / recipe.name, scale=loop.extra["scale"], steps=loop.step,
        seconds=loop.seconds, requires=requires, feature_scales=scales,
    )  # fmt: skip
    say(f"wrote {bundle}")
    return bundle


def _stage(recipe: Recipe, draw: Draw, planes: UNet | None) -> tuple[nn.Module, Loss, tuple[int, ...]]:
    if recipe.stage == "planes":
        return make_plane_network(recipe), plane_loss(draw), ()
    if recipe.stage == "regression":
        return make_regression_network(recipe), regression_loss(draw), ()
    assert planes is not None
    network, scales = make_fusion_network(recipe, planes)
    return network, fusion_loss(draw, planes, scales), scales


def _planes_card(recipe: Recipe, folder: Path) -> BundleCard | None:
    """Return the card of the plane bundle a fusion recipe builds on: beside this run, or an installed one."""
    if recipe.plane_recipe is None:
        if recipe.stage == "fusion":
            raise SettingsError(f"recipe {recipe.name}: a fusion stage needs plane_recipe")
        return None
    sibling = folder.parent / recipe.plane_recipe / recipe.plane_recipe
    if (sibling / "metadata.json").exists():
        return read_card(sibling)
    return find_bundle(recipe.plane_recipe, "super-resolution", "tpdm")
