"""The flow stage: one velocity network between native and contrast CT, for both directions."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_vol2vol.bundles.card import read_card
from napari_vol2vol.engine.allocation import reused_memory
from napari_vol2vol.errors import SettingsError
from napari_vol2vol.networks.blocks import channels_last
from napari_vol2vol.networks.time_resnet import FAMILY, TimeResNet, time_resnet
from napari_vol2vol.phantoms.torso_ct import TorsoPair, make_torso_pair
from napari_vol2vol.sampling.flow import FLOW_SAMPLERS, linear_path
from napari_vol2vol.sampling.planes import Plane, apply_plane
from napari_vol2vol.sampling.schedules import timesteps
from napari_vol2vol.training.export import export_bundle
from napari_vol2vol.training.flow_pool import PIXEL_MM, SLICE_MM, TorsoPool, in_model_space
from napari_vol2vol.training.recipe import Recipe
from napari_vol2vol.training.stages import Loss
from napari_vol2vol.training.trainer import Loop

STAGE = "flow"
#: The patient that validation looks at, far from the seeds of training.
HELD_OUT = 940001
HELD_OUT_GRID = ((40, 128, 160), (4.0, 2.5, 2.5))
VESSELS = ("aorta", "artery", "heart chamber")


def flow_loss(pool: TorsoPool, recipe: Recipe) -> Loss:
    """Return the loss of flow matching: the velocity of random slices at random times (eq. 5)."""

    def loss(network: nn.Module, step: int) -> Tensor:
        if step and step % recipe.pool.renew_every == 0:
            pool.renew()
        rng = np.random.default_rng([recipe.seed, 37, step])
        planes: list[Plane] = [recipe.planes[i % len(recipe.planes)] for i in range(recipe.batch)]  # type: ignore[misc]
        pairs = [pool.slices(rng, plane, recipe.crop) for plane in planes]
        native, contrast = (torch.stack(images)[:, None] for images in zip(*pairs, strict=True))
        n = len(pairs)
        t = torch.from_numpy(((rng.permutation(n) + rng.random(n)) / n).astype(np.float32))
        near, far = linear_path(t.reshape(n, 1, 1, 1))
        x_t = (near * native + far * contrast).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            velocity, _ = network(x_t, t)
        return F.mse_loss(velocity.float(), contrast - native)

    return loss


class FlowValidation:
    """MAE in HU of a held-out procedural patient after contrast removal: whole, and in the large arteries."""

    def __init__(self, held_out: TorsoPair | None = None) -> None:
        self._held_out = held_out

    @property
    def pair(self) -> TorsoPair:
        """The patient, made when first asked for."""
        if self._held_out is None:
            self._held_out = make_torso_pair(HELD_OUT, *HELD_OUT_GRID, breathing_mm=0.0, noise=8.0)
        return self._held_out

    def __call__(self, network: nn.Module) -> dict[str, float]:
        """Return mean absolute errors in HU: of the result, and of the source as it is."""
        pair = self.pair
        source, vessels = in_model_space(pair.contrast), pair.torso.mask(*VESSELS)

        def velocity(x: Tensor, t: float) -> Tensor:
            return apply_plane(network, x[None], t, "axial", slice_batch=8).prediction

        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            *_, last = FLOW_SAMPLERS["rk2"](velocity, source, timesteps(1), linear_path, lambda i: source)
        figures: dict[str, float] = {}
        for name, found in (("", last.x0_hat), ("source ", source)):
            error = 1000 * np.abs((found - in_model_space(pair.native)).numpy())
            figures |= {
                f"{name}mae hu": float(error.mean()),
                f"{name}mae hu vessels": float(error[vessels].mean()),
            }
        return figures


def train_flow(
    recipe: Recipe,
    folder: Path,
    *,
    say: Callable[[str], None] = lambda text: None,
    cancel: threading.Event | None = None,
) -> Path:
    """Train a recipe of this stage as `training.run.train` does, and return the folder of its bundle.

    Beside the bundle of contrast removal lies one of addition: a card that requires the same weights.

    Raises
    ------
    SettingsError
        If the recipe names real volumes: there are no real pairs of one patient.
    """
    if real := (*recipe.train, *recipe.validate):
        raise SettingsError(
            f"recipe {recipe.name}: train and validate: found {', '.join(real)}, stage {STAGE} accepts none: "
            "it needs pairs of one patient"
        )
    torch.manual_seed(recipe.seed)
    say(f"preparing {recipe.pool.entries} procedural patients")
    pool = TorsoPool(recipe.pool, recipe.seed)
    network = channels_last(TimeResNet(time_resnet(recipe.preset)), 2)
    validation = FlowValidation()
    checked = validation if recipe.loop.validate_every <= recipe.loop.steps else None
    loop = Loop(network, flow_loss(pool, recipe), recipe.loop, folder, checked, say, {}, cancel)
    with reused_memory():
        trained = loop.run()
    config: Any = network.config
    bundle = export_bundle(
        recipe, trained, config, folder / recipe.name, scale=1.0, steps=loop.step, seconds=loop.seconds,
        requires={}, figures=checked(trained) if checked else {},
    )  # fmt: skip
    _describe(bundle, recipe, loop)
    say(f"wrote {bundle} and {write_reversed(bundle)}")
    return bundle


def _describe(bundle: Path, recipe: Recipe, loop: Loop) -> None:
    """Say in the card what only a flow's card says: its family, pairs, spacing and direction."""
    path = bundle / "metadata.json"
    raw = json.loads(path.read_text())
    raw["data_source"] = "procedural torsos"
    own = raw["vol2vol"]
    own["network"]["family"] = FAMILY
    own["planes"] = list(dict.fromkeys(recipe.planes))
    own["modality"], own["target"] = ["CT"], "native"
    own["input_spacing_mm"] = [
        [SLICE_MM[0], PIXEL_MM[0], PIXEL_MM[0]],
        [SLICE_MM[1], PIXEL_MM[1], PIXEL_MM[1]],
    ]
    own["training"] = (
        f"recipe {recipe.name}, seed {recipe.seed}, {loop.step} steps, {loop.seconds / 60:.0f} CPU minutes. "
        f"Procedural patients alone; validation: procedural patient {HELD_OUT}."
    )
    path.write_text(json.dumps(raw, indent=2, ensure_ascii=False) + "\n")


def write_reversed(bundle: Path) -> Path:
    """Write the card of the other direction beside a bundle of contrast removal, and return its folder."""
    card = read_card(bundle)
    raw = json.loads((bundle / "metadata.json").read_text())
    name = f"{card.name}-reversed"
    raw |= {"name": name, "title": "Native to arterial CT: the flow of contrast removal, run the other way"}
    raw["task"] = raw["description"] = raw["title"]
    raw["vol2vol"] |= {"task": "contrast-addition", "target": "arterial", "weights": {}, "validation": {}}
    raw["vol2vol"]["requires"] = {card.name: next(iter(card.weights.values()))}
    folder = bundle.parent / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metadata.json").write_text(json.dumps(raw, indent=2, ensure_ascii=False) + "\n")
    return folder
