"""The stages over pairs of CT, native and arterial: flow, regression and diffusion of axial slices."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from torch import nn

from napari_vol2vol.bundles.card import BundleCard, read_card
from napari_vol2vol.bundles.weights import load_fusion, load_unet, load_velocity
from napari_vol2vol.engine.allocation import reused_memory
from napari_vol2vol.errors import SettingsError
from napari_vol2vol.networks.blocks import channels_last
from napari_vol2vol.networks.fusion import FusionNetwork
from napari_vol2vol.networks.presets import plane_unet
from napari_vol2vol.networks.unet import UNet
from napari_vol2vol.networks.velocity import family_of, make_velocity_network, velocity_config
from napari_vol2vol.sampling.branches import Diffused
from napari_vol2vol.systems.mfm import ARTERIAL, NATIVE
from napari_vol2vol.systems.mfm_fusion import fusion_and_flow
from napari_vol2vol.training.contrast_fusion import flow_fusion_loss, fused_rk2, make_flow_fusion, planes_in
from napari_vol2vol.training.contrast_losses import diffusion_loss, flow_loss, regression_loss
from napari_vol2vol.training.contrast_validation import (
    HELD_OUT,
    ContrastValidation,
    Restore,
    few_steps_of_ddim,
    one_call,
    one_step_of_rk2,
)
from napari_vol2vol.training.export import amended_card, export_bundle
from napari_vol2vol.training.flow_pool import SLICE_MM, TorsoPool, anatomy_from
from napari_vol2vol.training.recipe import Recipe
from napari_vol2vol.training.stages import Loss
from napari_vol2vol.training.trainer import Loop
from napari_vol2vol.training.warm_start import mix_weights, start_velocity_from
from napari_vol2vol.volume import Volume

FLOW, FUSION, REGRESSION, DIFFUSION = STAGES = ("flow", "flow-fusion", "ct-regression", "ct-diffusion")
FLOWS = (FLOW, FUSION)
NONE: Mapping[str, BundleCard] = MappingProxyType({})
TASKS = {NATIVE: "contrast-removal", ARTERIAL: "contrast-addition"}


@dataclass(frozen=True)
class _Stage:
    """An untrained network, what it is trained by and looked at with, and its family (None: our U-Net)."""

    network: nn.Module
    loss: Loss
    restore: Restore
    family: str | None
    dims: int = 2


def _stage(recipe: Recipe, pool: TorsoPool, required: Mapping[str, BundleCard]) -> _Stage:
    if recipe.stage == FUSION:
        (flow,) = (load_velocity(card, torch.device("cpu")) for card in required.values())
        loss = flow_fusion_loss(pool, recipe, flow)
        return _Stage(make_flow_fusion(recipe), loss, fused_rk2(flow, planes_in(recipe)), None, 3)
    if recipe.stage == DIFFUSION:
        network = UNet(plane_unet(recipe.preset, len(recipe.inputs)))
        diffused = _diffused(recipe)
        return _Stage(network, diffusion_loss(pool, recipe, diffused), few_steps_of_ddim(diffused), None)
    config = velocity_config(recipe.network, recipe.preset, 1 + recipe.source_slices)
    loss = flow_loss(pool, recipe) if recipe.stage == FLOW else regression_loss(pool, recipe)
    return _Stage(make_velocity_network(config), loss, _restore(recipe), family_of(config))


def validated(card: BundleCard, recipe: Recipe) -> dict[str, float]:
    """Return the validation figures of a finished bundle of these stages."""
    cpu = torch.device("cpu")
    network: nn.Module
    if recipe.stage == FUSION:
        fusion, flow = fusion_and_flow(card)
        network, restore = load_fusion(fusion, cpu), fused_rk2(load_velocity(flow, cpu), planes_in(recipe))
    else:
        network = load_unet(card, cpu) if recipe.stage == DIFFUSION else load_velocity(card, cpu)
        restore = _restore(recipe)
    return ContrastValidation(restore, recipe.target)(network)


def _restore(recipe: Recipe) -> Restore:
    """Return how validation goes from a source to the result with a 2D network."""
    if recipe.stage == DIFFUSION:
        return few_steps_of_ddim(_diffused(recipe))
    if recipe.stage == FLOW:
        return one_step_of_rk2(recipe.target, recipe.source_slices, recipe.multiple)
    return one_call(recipe.source_slices, recipe.multiple)


def _diffused(recipe: Recipe) -> Diffused:
    d = recipe.diffusion
    return Diffused(d.what, 1.0, d.prediction, d.schedule, d.schedule_parameters)


def train_contrast(
    recipe: Recipe,
    folder: Path,
    required: Mapping[str, BundleCard] = NONE,
    *,
    start: BundleCard | None = None,
    volumes: Sequence[Path] = (),
    say: Callable[[str], None] = lambda text: None,
    cancel: threading.Event | None = None,
) -> Path:
    """Train a recipe of these stages as `training.run.train` does, and return the folder of its bundle.

    Beside a flow of contrast removal lies one of addition: a card that requires the same weights.
    ``required`` is the flow that a fusion builds on; ``start`` the velocity network, a regression's or a
    flow's, whose weights the training starts from; ``volumes`` the files of ``recipe.train``, maps of organs
    or native scans.

    Raises
    ------
    SettingsError
        If the recipe names enhanced scans, as there are no real pairs of one patient; or a task, target,
        network or diffused variable that does not fit.
    """
    _check(recipe)
    torch.manual_seed(recipe.seed)
    others = [anatomy_from(path) for path in volumes]
    _check_natives(recipe, [other.name for other in others if isinstance(other, Volume)])
    say(f"preparing {recipe.pool.entries} patients")
    stage = _stage(recipe, TorsoPool(recipe.pool, recipe.seed, others), required)
    if start is not None:
        start_velocity_from(stage.network, start)
    before = deepcopy(stage.network.state_dict()) if recipe.start_share else {}
    network = channels_last(stage.network, stage.dims)
    validation = ContrastValidation(stage.restore, recipe.target)
    checked = validation if recipe.loop.validate_every <= recipe.loop.steps else None
    loop = Loop(network, stage.loss, recipe.loop, folder, checked, say, {}, cancel)
    with reused_memory():
        trained = loop.run()
    if before:
        mix_weights(trained, before, recipe.start_share)
    config: Any = trained.unet.config if isinstance(trained, FusionNetwork) else trained.config
    bundle = export_bundle(
        recipe, trained, config, folder / recipe.name, scale=1.0, steps=loop.step, seconds=loop.seconds,
        requires={name: next(iter(card.weights.values())) for name, card in required.items()},
        figures=checked(trained) if checked else {},
    )  # fmt: skip
    _describe(bundle, recipe, loop, stage.family)
    say(f"wrote {bundle}")
    if recipe.stage in FLOWS:
        say(f"wrote {write_reversed(bundle)}")
    return bundle


def _check(recipe: Recipe) -> None:
    where = f"recipe {recipe.name}"
    if recipe.validate:
        raise SettingsError(
            f"{where}: validate: found {', '.join(recipe.validate)}, stage {recipe.stage} accepts none: "
            "it needs pairs of one patient"
        )
    accepted = TASKS if recipe.stage not in FLOWS else {NATIVE: TASKS[NATIVE]}
    if accepted.get(recipe.target) != recipe.task:
        words = " or ".join(f"{task} to {target}" for target, task in accepted.items())
        raise SettingsError(
            f"{where}: task and target: found {recipe.task} to {recipe.target}, stage {recipe.stage} "
            f"accepts {words}"
        )
    if recipe.stage == FUSION and len(planes_in(recipe)) < 2:
        raise SettingsError(
            f"{where}: planes: found {', '.join(recipe.planes)}, a fusion accepts two or three"
        )
    if recipe.stage == DIFFUSION and recipe.diffusion.what != "image":
        raise SettingsError(
            f"{where}: diffusion: what: found {recipe.diffusion.what!r}, stage {recipe.stage} accepts image"
        )


def _check_natives(recipe: Recipe, natives: Sequence[str]) -> None:
    """Refuse native scans where nothing tells the network that they are to stay as they are."""
    fits = recipe.target == NATIVE if recipe.stage not in FLOWS else recipe.source_slices > 0
    if natives and not fits:
        raise SettingsError(
            f"recipe {recipe.name}: train: found {', '.join(natives)}, native scans; accepted are maps of "
            "organs: of a native scan nothing is to be removed, which only a result that is native, or a "
            "flow with source_slices, can learn"
        )


def _describe(bundle: Path, recipe: Recipe, loop: Loop, family: str | None) -> None:
    """Say in the card what only a bundle of pairs says: its family, modality, planes and spacing."""
    with amended_card(bundle) as card:
        card["data_source"] = ", ".join(["procedural torsos", *recipe.train])
        own = card["vol2vol"]
        if family is not None:
            own["network"]["family"] = family
        own["planes"] = list(dict.fromkeys(recipe.planes))
        own["modality"] = ["CT"]
        pixels = recipe.pool.pixel_mm
        own["input_spacing_mm"] = [[s, p, p] for s, p in zip(SLICE_MM, pixels, strict=True)]
        before = f", from the weights of {recipe.start}" if recipe.start else ""
        if recipe.start_share:
            before += f", which are {recipe.start_share:.0%} of the bundle's"
        real = ", ".join(recipe.train)
        patients = (
            f"{recipe.pool.phantom_share:.0%} procedural patients, the others from {real} (maps of organs "
            "with procedural values, native scans as they are)"
            if real
            else "Procedural patients alone"
        )
        own["training"] = (
            f"recipe {recipe.name}, seed {recipe.seed}, {loop.step} steps, {loop.seconds / 60:.0f} CPU "
            f"minutes{before}. {patients}; validation: procedural patient {HELD_OUT}."
        )


def write_reversed(bundle: Path) -> Path:
    """Write the card of the other direction beside a flow of contrast removal, and return its folder."""
    card = read_card(bundle)
    raw = json.loads((bundle / "metadata.json").read_text())
    name = f"{card.name}-reversed"
    raw |= {"name": name, "title": "Native to arterial CT: the flow of contrast removal, run the other way"}
    raw["task"] = raw["description"] = raw["title"]
    raw["vol2vol"] |= {"task": TASKS[ARTERIAL], "target": ARTERIAL, "weights": {}, "validation": {}}
    raw["vol2vol"]["requires"] = {card.name: next(iter(card.weights.values())), **card.requires}
    folder = bundle.parent / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metadata.json").write_text(json.dumps(raw, indent=2, ensure_ascii=False) + "\n")
    return folder
