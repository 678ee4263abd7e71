"""Conditional adversarial training (pix2pix, Isola et al. 2017) with MONAI's patch discriminator."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_vol2vol.training.recipe import Adversarial
from napari_vol2vol.training.trainer import Loop, LoopSettings, learning_rate


class Pair(NamedTuple):
    """A batch as the discriminator sees it: condition `(N, C, *S)`, true and generated image `(N, 1, *S)`."""

    condition: Tensor
    real: Tensor
    fake: Tensor


#: From a generator and a step to a pair; draws its own batch, seeded by the step.
Pairs = Callable[[nn.Module, int], Pair]


def make_discriminator(settings: Adversarial, conditions: int, dims: int) -> nn.Module:
    """Return an untrained patch discriminator over ``conditions`` conditions and one image."""
    from monai.networks.nets import PatchDiscriminator

    network: nn.Module = PatchDiscriminator(
        spatial_dims=dims, channels=settings.channels, in_channels=conditions + 1,
        num_layers_d=settings.layers, norm="INSTANCE",
    )  # fmt: skip
    return network


class AdversarialLoss:
    """A loss for `Loop` that owns the discriminator: it takes one step of it, then scores the generator.

    The objective is least squares (LSGAN, Mao et al. 2017) plus ``l1`` times the L1 distance of the images;
    that of the discriminator is halved, as in Isola et al. (section 3.3).
    """

    def __init__(
        self, pairs: Pairs, discriminator: nn.Module, settings: Adversarial, loop: LoopSettings
    ) -> None:
        from monai.losses import PatchAdversarialLoss

        self.pairs, self.discriminator, self.settings = pairs, discriminator, settings
        self.rate = replace(loop, lr=settings.lr)
        self.criterion = PatchAdversarialLoss(criterion="least_squares", no_activation_leastsq=True)
        self.optimiser = torch.optim.Adam(discriminator.parameters(), lr=settings.lr, betas=settings.betas)

    def __call__(self, network: nn.Module, step: int) -> Tensor:
        """Return the loss of the generator, after one step of the discriminator on the same batch."""
        pair = self.pairs(network, step)
        self._train_discriminator(pair, step)
        fooled = self._judged(pair.condition, pair.fake, as_real=True, for_discriminator=False)
        return fooled + self.settings.l1 * F.l1_loss(pair.fake, pair.real)

    def l1(self, network: nn.Module, step: int) -> Tensor:
        """Return the L1 distance of a batch in model space, training nothing."""
        pair = self.pairs(network, step)
        return F.l1_loss(pair.fake, pair.real)

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint needs."""
        return {"discriminator": self.discriminator.state_dict(), "optimiser": self.optimiser.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""
        self.discriminator.load_state_dict(state["discriminator"])
        self.optimiser.load_state_dict(state["optimiser"])

    def _train_discriminator(self, pair: Pair, step: int) -> None:
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.rate, step)
        self.discriminator.requires_grad_(True)
        self.optimiser.zero_grad(set_to_none=True)
        real = self._judged(pair.condition, pair.real, as_real=True, for_discriminator=True)
        fake = self._judged(pair.condition, pair.fake.detach(), as_real=False, for_discriminator=True)
        (0.5 * (real + fake)).backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        self.discriminator.requires_grad_(False)

    def _judged(self, condition: Tensor, image: Tensor, *, as_real: bool, for_discriminator: bool) -> Tensor:
        # in float32: on the CPU, the weight gradient of a bfloat16 Conv3d is wrong where the grid is smaller
        # than the kernel, which it is in front of the last layer for small crops (torch 2.13)
        logits = self.discriminator(torch.cat([condition, image], 1))[-1]
        loss: Tensor = self.criterion(logits, as_real, for_discriminator)
        return loss


class AdversarialLoop(Loop):
    """A `Loop` whose checkpoints also hold the discriminator and its optimiser."""

    def __init__(
        self,
        network: nn.Module,
        loss: AdversarialLoss,
        settings: LoopSettings,
        folder: Path,
        validate: Callable[[nn.Module], dict[str, float]] | None = None,
        say: Callable[[str], None] = lambda text: None,
        extra: dict[str, Any] | None = None,
        cancel: threading.Event | None = None,
    ) -> None:
        self.adversary = loss
        super().__init__(network, loss, settings, folder, validate, say, extra, cancel)
        for group in self.optimiser.param_groups:
            group["betas"] = loss.settings.betas

    def save(self) -> None:
        """Write the checkpoint and redraw the loss curve."""
        self.extra["adversary"] = self.adversary.state()
        super().save()

    def _resume(self) -> None:
        super()._resume()
        if "adversary" in self.extra:
            self.adversary.restore(self.extra["adversary"])
