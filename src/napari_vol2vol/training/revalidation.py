"""Run the validation of a finished bundle again: the figures its card keeps, from the shipped weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from napari_vol2vol.bundles.card import BundleCard
from napari_vol2vol.bundles.weights import (
    load_fusion,
    load_monai_unet,
    load_segresnet,
    load_unet,
)
from napari_vol2vol.systems.assembly import branches_of, diffused_of
from napari_vol2vol.training.contrast import STAGES as CONTRAST
from napari_vol2vol.training.contrast import validated
from napari_vol2vol.training.recipe import load_recipe
from napari_vol2vol.training.run import find_volumes, volumes_folder
from napari_vol2vol.training.segmentation import STAGE as SEGMENTATION
from napari_vol2vol.training.segmentation_validation import RegionValidation
from napari_vol2vol.training.stages import load_training_volume
from napari_vol2vol.training.validation import Validation

Load = Callable[[BundleCard, torch.device], nn.Module]


def revalidate(card: BundleCard, volumes: Path | None = None) -> dict[str, float]:
    """Return the validation figures of a bundle: PSNR in dB of a few-step sample and of the baselines.

    For a network that segments, Dice of its regions; for pairs of CT, MAE in HU.

    They differ from the card's by the rounding of the weights to float16 and of the kernels.

    Parameters
    ----------
    volumes : Path, optional
        Folder of the held-out volumes of the bundle's recipe; by default where they are fetched to.

    Raises
    ------
    SettingsError
        If no recipe has the bundle's name, or its held-out volume is missing.
    """
    recipe = load_recipe(card.name)
    if recipe.stage == SEGMENTATION:
        return RegionValidation(recipe.inputs)(load_segresnet(card, torch.device("cpu")))
    if recipe.stage in CONTRAST:
        return validated(card, recipe)
    paths = find_volumes(recipe.validate, volumes or volumes_folder())
    cpu = torch.device("cpu")
    load: Load = load_unet
    if recipe.stage == "fusion":
        load = load_fusion
    elif "family" in card.network:
        load = load_monai_unet
    branches = branches_of(card, cpu) if card.requires else []
    validation = Validation(
        recipe, [load_training_volume(path) for path in paths], diffused_of(card), branches,
        card.network.get("feature_scales", ()),
    )  # fmt: skip
    return validation(load(card, cpu))
