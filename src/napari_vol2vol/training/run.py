"""`vol2vol train`: from a recipe to a bundle."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import nn

from napari_vol2vol.bundles.card import BundleCard, read_card
from napari_vol2vol.bundles.library import list_bundles
from napari_vol2vol.engine.allocation import reused_memory
from napari_vol2vol.errors import SettingsError
from napari_vol2vol.networks.fusion import FusionNetwork
from napari_vol2vol.networks.monai_unet import MonaiUNet
from napari_vol2vol.networks.unet import UNet
from napari_vol2vol.sampling.branches import Branch, Diffused
from napari_vol2vol.systems.assembly import branches_of, diffused_of
from napari_vol2vol.training.adversarial import AdversarialLoop, AdversarialLoss
from napari_vol2vol.training.baseline_stages import BASELINES, make_baseline
from napari_vol2vol.training.contrast import FUSION as FLOW_FUSION
from napari_vol2vol.training.contrast import STAGES as CONTRAST
from napari_vol2vol.training.contrast import train_contrast
from napari_vol2vol.training.cycle_gan import STAGE as CYCLE_GAN
from napari_vol2vol.training.cycle_gan import train_cycle_gan
from napari_vol2vol.training.ensembles import STAGE as ENSEMBLE
from napari_vol2vol.training.ensembles import write_ensemble
from napari_vol2vol.training.export import export_bundle
from napari_vol2vol.training.guided_score import STAGE as GUIDED_SCORE
from napari_vol2vol.training.guided_score import train_guided_score
from napari_vol2vol.training.pool import VolumePool
from napari_vol2vol.training.prior import STAGE as PRIOR
from napari_vol2vol.training.prior import train_prior
from napari_vol2vol.training.recipe import Recipe
from napari_vol2vol.training.segmentation import STAGE as SEGMENTATION
from napari_vol2vol.training.segmentation import train_segmentation
from napari_vol2vol.training.stages import (
    Draw,
    Loss,
    fusion_loss,
    load_training_volume,
    make_fusion_network,
    make_plane_network,
    make_volume_network,
    plane_loss,
    regression_loss,
    volume_loss,
)
from napari_vol2vol.training.trainer import Loop
from napari_vol2vol.training.validation import Validation
from napari_vol2vol.training.warm_start import start_from

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


def train(
    recipe: Recipe,
    folder: Path,
    *,
    volumes: Path | None = None,
    say: Say = lambda text: None,
    cancel: threading.Event | None = None,
) -> Path:
    """Train a recipe in ``folder``, resuming what is there, and return the folder of the finished bundle.

    ``cancel`` ends the run between two steps with a `KeyboardInterrupt`, once the checkpoint is written.

    Raises
    ------
    SettingsError
        If volumes or the plane bundle are missing.
    """
    torch.manual_seed(recipe.seed)
    if recipe.stage == SEGMENTATION:
        return train_segmentation(recipe, folder, say=say, cancel=cancel)
    if recipe.stage in CONTRAST:
        start = _card_of(recipe.start, recipe, folder) if recipe.start else None
        required = _required_cards(recipe, folder)
        files = find_volumes(recipe.train, volumes or volumes_folder())
        return train_contrast(recipe, folder, required, start=start, volumes=files, say=say, cancel=cancel)
    if recipe.stage == PRIOR:
        return train_prior(recipe, folder, say=say, cancel=cancel)
    if recipe.stage == CYCLE_GAN:
        return train_cycle_gan(recipe, folder, say=say, cancel=cancel)
    if recipe.stage == ENSEMBLE:
        return write_ensemble(recipe, folder, _required_cards(recipe, folder), say)
    data = volumes or volumes_folder()
    real = [load_training_volume(path) for path in find_volumes(recipe.train, data)]
    if recipe.stage == GUIDED_SCORE:
        return train_guided_score(recipe, folder, real, say=say, cancel=cancel)
    held_out = [load_training_volume(path) for path in find_volumes(recipe.validate, data)]
    required = _required_cards(recipe, folder)
    ensemble = _as_card(recipe, folder, required)
    branches = branches_of(ensemble, torch.device("cpu")) if recipe.stage == "fusion" else []
    say(f"preparing {recipe.pool.entries} augmented volumes")
    pool = VolumePool(
        real, recipe.factor, recipe.pool, recipe.seed, target=recipe.target, inputs=recipe.inputs
    )
    start = None if recipe.start is None else _card_of(recipe.start, recipe, folder)
    diffused = _diffused(recipe, pool, branches, start)
    network, loss, scales = _stage(recipe, Draw(pool, recipe, diffused), branches)
    if start is not None:
        start_from(network, start, recipe.inputs)
    validation = Validation(recipe, held_out, diffused, branches, scales)
    checked = validation if recipe.loop.validate_every <= recipe.loop.steps else None
    extra = {"scale": diffused.scale}
    loop = (
        AdversarialLoop(network, loss, recipe.loop, folder, checked, say, extra)
        if isinstance(loss, AdversarialLoss)
        else Loop(network, loss, recipe.loop, folder, checked, say, extra)
    )
    loop.cancel = cancel
    with reused_memory():
        trained = loop.run()
    unet = trained.unet if isinstance(trained, FusionNetwork) else trained
    assert isinstance(unet, UNet | MonaiUNet)
    bundle = export_bundle(
        recipe, trained, unet.config, folder / recipe.name, scale=loop.extra["scale"], steps=loop.step,
        seconds=loop.seconds, requires=ensemble.requires, feature_scales=scales,
        figures=checked(trained) if checked else {},
    )  # fmt: skip
    say(f"wrote {bundle}")
    return bundle


def _diffused(
    recipe: Recipe, pool: VolumePool, branches: Sequence[Branch], start: BundleCard | None
) -> Diffused:
    """Return what the recipe diffuses: scaled as the networks it builds on are, or as the pool says."""
    d = recipe.diffusion
    if recipe.stage == "bridge":  # its noise is in units of model space, as in the paper
        return Diffused(d.what, 1.0, d.prediction, d.schedule, d.schedule_parameters)
    known = [branch.diffused for branch in branches] + ([diffused_of(start)] if start is not None else [])
    scale = next((k.scale for k in known if k.what == d.what), None) or pool.scale_of(d.what)
    return Diffused(d.what, scale, d.prediction, d.schedule, d.schedule_parameters)


def _stage(recipe: Recipe, draw: Draw, branches: Sequence[Branch]) -> tuple[nn.Module, Loss, tuple[int, ...]]:
    if recipe.stage in BASELINES:
        return *make_baseline(recipe, draw), ()
    if recipe.stage == "planes":
        return make_plane_network(recipe), plane_loss(draw), ()
    if recipe.stage == "volume":
        return make_volume_network(recipe, diffusion=True), volume_loss(draw), ()
    if recipe.stage == "regression":
        return make_volume_network(recipe, diffusion=False), regression_loss(draw), ()
    network, scales = make_fusion_network(recipe, branches)
    for branch in branches:
        branch.network.eval().requires_grad_(False)
    return network, fusion_loss(draw, branches, scales), scales


def _required_cards(recipe: Recipe, folder: Path) -> dict[str, BundleCard]:
    """Return the cards a recipe builds on, by name: trained beside this run, or installed."""
    if recipe.stage not in ("fusion", FLOW_FUSION, ENSEMBLE):
        return {}
    names = {name for name, _ in recipe.branches} or {recipe.plane_recipe or ""}
    if "" in names:
        raise SettingsError(f"recipe {recipe.name}: a fusion stage needs plane_recipe or branches")
    return {name: _card_of(name, recipe, folder) for name in sorted(names)}


def _card_of(name: str, recipe: Recipe, folder: Path) -> BundleCard:
    sibling = folder.parent / name / name
    if (sibling / "metadata.json").exists():
        return read_card(sibling)
    installed = {card.name: card for card in list_bundles()}
    if name not in installed:
        raise SettingsError(f"recipe {recipe.name}: bundle {name} is not there; train recipe {name} first")
    return installed[name]


def _as_card(recipe: Recipe, folder: Path, required: Mapping[str, BundleCard]) -> BundleCard:
    """Return the card that the finished bundle will have, as far as its branches are concerned."""
    digests = {name: next(iter(card.weights.values())) for name, card in required.items()}
    return BundleCard(
        name=recipe.name, title=recipe.title, description="", licence="", task=recipe.task,
        systems=recipe.systems, training="", limits="", modality=(), spacing_mm=((0,) * 3, (0,) * 3),
        path=folder / recipe.name, planes=recipe.planes, requires=digests, inputs=recipe.inputs,
        branches=recipe.branches,
    )  # fmt: skip
