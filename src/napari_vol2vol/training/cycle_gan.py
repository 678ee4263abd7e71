"""The cycle-gan stage: CycleGAN (Zhu et al. 2017) from a few heads of the source and many of the target.

The few-shot baseline of MIDiffusion (Wang et al. 2023, 5.2). Slices of the two modalities are drawn from
*different* heads, so no pair is ever seen. Both generators are MONAI U-Nets, both discriminators MONAI's;
the bundle holds the generator from source to target.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_vol2vol.engine.allocation import reused_memory
from napari_vol2vol.errors import SettingsError
from napari_vol2vol.networks.monai_unet import MonaiUNet
from napari_vol2vol.sampling.branches import Diffused
from napari_vol2vol.training.adversarial import AdversarialLoop, make_discriminator
from napari_vol2vol.training.baseline_stages import draw_slices, make_monai_network
from napari_vol2vol.training.export import export_bundle
from napari_vol2vol.training.pool import VolumePool
from napari_vol2vol.training.precision import faster_precision
from napari_vol2vol.training.recipe import Recipe
from napari_vol2vol.training.stages import Draw
from napari_vol2vol.training.trainer import learning_rate
from napari_vol2vol.training.validation import Validation

STAGE = "cycle-gan"
#: Model space, as it is: generators answer with the image.
IMAGE = Diffused("image", 1.0, "x0")
#: Heads of the source: one anatomy of the twelve that a recipe of pairs would have seen.
SOURCE_HEADS, SOURCE_SEED = 1, 500


class Generators(nn.Module):
    """Both generators as one network; called, it is the one from source to target."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self.onward, self.back = make_monai_network(recipe), make_monai_network(recipe)

    def forward(self, x: Tensor, t: Tensor | None, label: Tensor) -> tuple[Tensor, Any]:
        """Return the target `(N, 1, H, W)` of a source."""
        return self.onward(x, t, label)  # type: ignore[no-any-return]


class CycleLoss:
    """A loss for `AdversarialLoop`: least squares against both discriminators, plus cycle and identity in L1.

    ``adversarial.l1`` is the weight of the cycle (10 in the paper); identity counts half as much.
    """

    def __init__(self, target: Draw, source: Draw, recipe: Recipe) -> None:
        from monai.losses import PatchAdversarialLoss

        self.target, self.source, self.settings = target, source, recipe.adversarial
        self.rate = replace(recipe.loop, lr=recipe.adversarial.lr)
        self.criterion = PatchAdversarialLoss(criterion="least_squares", no_activation_leastsq=True)
        self.discriminator = nn.ModuleDict(
            {side: make_discriminator(recipe.adversarial, 0, 2) for side in ("target", "source")}
        )
        self.optimiser = torch.optim.Adam(
            self.discriminator.parameters(), lr=self.settings.lr, betas=self.settings.betas
        )

    def __call__(self, network: nn.Module, step: int) -> Tensor:
        """Return the loss of both generators, after one step of both discriminators."""
        assert isinstance(network, Generators)
        source, target, labels = self._unpaired(step)
        made, unmade = (_image(g, x, labels) for g, x in ((network.onward, source), (network.back, target)))
        self._judge_and_learn({"target": (target, made), "source": (source, unmade)}, step)
        loss = self._fools("target", made) + self._fools("source", unmade)
        there_and_back = F.l1_loss(_image(network.back, made, labels), source)
        back_and_there = F.l1_loss(_image(network.onward, unmade, labels), target)
        same = F.l1_loss(_image(network.onward, target, labels), target) + F.l1_loss(
            _image(network.back, source, labels), source
        )
        total: Tensor = loss + self.settings.l1 * (there_and_back + back_and_there + 0.5 * same)
        return total

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint needs."""
        return {"discriminator": self.discriminator.state_dict(), "optimiser": self.optimiser.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""
        self.discriminator.load_state_dict(state["discriminator"])
        self.optimiser.load_state_dict(state["optimiser"])

    def _unpaired(self, step: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return slices `(N, 1, H, W)` of source and target in model space, of different heads."""
        target = draw_slices(self.target, self.target.generator(step))
        source = draw_slices(self.source, self.source.generator(step))
        return source.conditions[:, 0], target.z0, target.labels

    def _judge_and_learn(self, images: dict[str, tuple[Tensor, Tensor]], step: int) -> None:
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.rate, step)
        self.discriminator.requires_grad_(True)
        self.optimiser.zero_grad(set_to_none=True)
        for side, (real, fake) in images.items():
            judged = self._judged(side, real, True) + self._judged(side, fake.detach(), False)
            (0.5 * judged).backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        self.discriminator.requires_grad_(False)

    def _fools(self, side: str, fake: Tensor) -> Tensor:
        loss: Tensor = self.criterion(self.discriminator[side](fake)[-1], True, False)
        return loss

    def _judged(self, side: str, image: Tensor, as_real: bool) -> Tensor:
        loss: Tensor = self.criterion(self.discriminator[side](image)[-1], as_real, True)
        return loss


def _image(generator: MonaiUNet, image: Tensor, labels: Tensor) -> Tensor:
    with faster_precision():
        output, _ = generator(image.contiguous(memory_format=torch.channels_last), None, labels)
    made: Tensor = output.float()
    return made


def make_draws(recipe: Recipe) -> tuple[Draw, Draw]:
    """Return the slices of the target from the recipe's heads, those of the source from `SOURCE_HEADS`."""
    few = replace(recipe.pool, phantom_anatomies=SOURCE_HEADS)
    pools = [
        VolumePool([], recipe.factor, settings, seed, target=recipe.target, inputs=recipe.inputs)
        for settings, seed in ((recipe.pool, recipe.seed), (few, recipe.seed + SOURCE_SEED))
    ]
    target, source = (Draw(pool, recipe, IMAGE) for pool in pools)
    return target, replace(source, recipe=replace(recipe, seed=recipe.seed + SOURCE_SEED))


def train_cycle_gan(
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
        If the recipe has not one input, or names real volumes.
    """
    if len(recipe.inputs) != 1 or recipe.train or recipe.consecutive != 1:
        raise SettingsError(
            f"recipe {recipe.name}: inputs: found {', '.join(recipe.inputs) or 'none'}, stage {STAGE} "
            "accepts one modality, one slice at a time, of procedural heads alone"
        )
    torch.manual_seed(recipe.seed)
    say(f"preparing {recipe.pool.entries} heads of each modality")
    target, source = make_draws(recipe)
    network, loss = Generators(recipe), CycleLoss(target, source, recipe)
    validation = Validation(replace(recipe, stage="regression-2d"), [], IMAGE, [], [])
    checked = validation if recipe.loop.validate_every <= recipe.loop.steps else None
    loop = AdversarialLoop(network, loss, recipe.loop, folder, checked, say, {"scale": 1.0}, cancel)  # type: ignore[arg-type]
    with reused_memory():
        trained = loop.run()
    assert isinstance(trained, Generators)
    bundle = export_bundle(
        recipe, trained.onward, trained.onward.config, folder / recipe.name, scale=1.0, steps=loop.step,
        seconds=loop.seconds, requires={}, figures=checked(trained) if checked else {},
    )  # fmt: skip
    say(f"wrote {bundle}")
    return bundle


__all__ = ["STAGE", "CycleLoss", "Generators", "make_draws", "train_cycle_gan"]
