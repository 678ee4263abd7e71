"""Where training starts: from the weights of a bundle, whole or as the trunk of a larger network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from napari_vol2vol.bundles.card import BundleCard
from napari_vol2vol.bundles.weights import load_fusion, load_monai_unet, load_unet, load_velocity
from napari_vol2vol.errors import SettingsError
from napari_vol2vol.networks.fusion import FusionNetwork
from napari_vol2vol.networks.monai_unet import MonaiUNet
from napari_vol2vol.networks.time_resnet import TimeResNet
from napari_vol2vol.networks.unet import UNet


def start_from(network: nn.Module, card: BundleCard, inputs: Sequence[str]) -> None:
    """Give an untrained network the weights of a bundle.

    The bundle holds the same network, or, for a fusion network of these ``inputs``, a 3D regression.

    Raises
    ------
    SettingsError
        If the networks do not fit.
    """
    cpu = torch.device("cpu")
    if isinstance(network, FusionNetwork) and card.network.get("out_channels") == 1:
        plant_trunk(network.unet, load_unet(card, cpu), [list(inputs).index(name) for name in card.inputs])
        return
    load: Callable[[BundleCard, torch.device], nn.Module] = load_unet
    if isinstance(network, MonaiUNet | FusionNetwork):
        load = load_fusion if isinstance(network, FusionNetwork) else load_monai_unet
    _copy(load(card, cpu), network, card)


def start_velocity_from(network: nn.Module, card: BundleCard) -> None:
    """Give an untrained velocity network the weights of a flow, or of a regression of the same network.

    A regression by ``x - f(x, 1)`` is the velocity of the flow at t = 1. A TimeResNet that also sees slices
    of the source may start from one that sees x_t alone: they have no weight at first.

    Raises
    ------
    SettingsError
        If the networks do not fit.
    """
    start = load_velocity(card, torch.device("cpu"))
    if isinstance(network, TimeResNet) and start.config == replace(network.config, in_channels=1):
        _plant_alone(start, network)
    else:
        _copy(start, network, card)


@torch.no_grad()
def _plant_alone(start: nn.Module, network: TimeResNet) -> None:
    """Copy a network of x_t alone into one whose further channels then have no weight."""
    state = start.state_dict()
    stem = torch.zeros_like(network.state_dict()["stem.weight"])
    stem[:, : state["stem.weight"].shape[1]] = state["stem.weight"]
    network.load_state_dict(state | {"stem.weight": stem})


def _copy(source: nn.Module, network: nn.Module, card: BundleCard) -> None:
    try:
        network.load_state_dict(source.state_dict())
    except RuntimeError as error:
        raise SettingsError(f"recipe start: bundle {card.name} has another network: {error}") from error


@torch.no_grad()
def mix_weights(network: nn.Module, other: Mapping[str, Tensor], share: float) -> None:
    """Let the weights of a network be a mean with others of the same shapes, of which it takes ``share``.

    WiSE-FT (Wortsman et al. 2022): between a start and what became of it in training.
    """
    state = network.state_dict()
    network.load_state_dict(
        {k: v.lerp(other[k].to(v), share) if v.is_floating_point() else v for k, v in state.items()}
    )


@torch.no_grad()
def plant_trunk(fusion: UNet, regression: UNet, slots: Sequence[int]) -> None:
    """Copy a 3D regression into the U-Net of a fusion network, except for its last convolution.

    Condition i of the regression is condition ``slots[i]`` of the fusion network. What the fusion network
    sees besides (x_t and the branches) starts with weight zero, and its last convolution stays zero: it
    still returns the average of its branches.

    Raises
    ------
    SettingsError
        If the two have other widths or depths.
    """
    ours, theirs = fusion.state_dict(), regression.state_dict()
    trunk = {k: v for k, v in theirs.items() if not k.startswith("out.") and k != "stem.weight"}
    unfit = [k for k, v in trunk.items() if k not in ours or ours[k].shape != v.shape]
    if unfit:
        raise SettingsError(
            f"recipe start: the regression has another trunk than the fusion network (at {unfit[0]})"
        )
    cells = fusion.config.stem**fusion.config.dims
    stem = torch.zeros_like(ours["stem.weight"])
    for slot, given in zip(slots, theirs["stem.weight"].split(cells, dim=1), strict=True):
        stem[:, (1 + slot) * cells : (2 + slot) * cells] = given
    fusion.load_state_dict(ours | trunk | {"stem.weight": stem})
