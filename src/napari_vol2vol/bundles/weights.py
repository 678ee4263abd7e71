"""Networks from bundles: config from the card, parameters from safetensors, always hash-checked."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, TypeVar

import torch
from safetensors.torch import load_file
from torch import nn

from napari_vol2vol.bundles.card import BundleCard
from napari_vol2vol.bundles.library import verify_bundle
from napari_vol2vol.errors import BundleError
from napari_vol2vol.networks.blocks import channels_last
from napari_vol2vol.networks.fusion import FusionNetwork
from napari_vol2vol.networks.monai_unet import FAMILY, MonaiUNet, MonaiUNetConfig, NetworkConfig
from napari_vol2vol.networks.segresnet import FAMILY as SEGRESNET
from napari_vol2vol.networks.segresnet import SegResNet, SegResNetConfig
from napari_vol2vol.networks.time_monai import FAMILY as TIME_MONAI
from napari_vol2vol.networks.time_monai import TimeMonaiConfig
from napari_vol2vol.networks.time_resnet import FAMILY as TIME_RESNET
from napari_vol2vol.networks.time_resnet import TimeResNetConfig
from napari_vol2vol.networks.unet import UNet, UNetConfig
from napari_vol2vol.networks.velocity import VelocityNetwork, make_velocity_network

#: The kinds of network that translate; a card that names no family means this project's own U-Net.
OWN_FAMILY = "unet"
_FAMILIES: dict[str, type[NetworkConfig]] = {
    OWN_FAMILY: UNetConfig,
    FAMILY: MonaiUNetConfig,
    TIME_RESNET: TimeResNetConfig,
    TIME_MONAI: TimeMonaiConfig,
}
Config = TypeVar("Config", UNetConfig, MonaiUNetConfig)


def config_from_card(values: dict[str, Any]) -> NetworkConfig:
    """Return the configuration written in a card, of the family that it names.

    Raises
    ------
    BundleError
        For an unknown family.
    """
    family = values.get("family", OWN_FAMILY)
    if family not in _FAMILIES:
        raise BundleError(f"network family: found {family!r}, accepted are {', '.join(_FAMILIES)}")
    return _FAMILIES[family](**_fitting(_FAMILIES[family], values))


def _fitting(kind: type[Any], values: dict[str, Any]) -> dict[str, Any]:
    """Return the values that are fields of a configuration, lists as tuples."""
    known = {f.name for f in fields(kind)}
    return {k: tuple(v) if isinstance(v, list) else v for k, v in values.items() if k in known}


def _config(card: BundleCard, kind: type[Config]) -> Config:
    config = config_from_card(card.network)
    if not isinstance(config, kind):
        raise _unused(card)
    return config


def _unused(card: BundleCard) -> BundleError:
    return BundleError(
        f"bundle {card.name}: found a network of family {card.network.get('family', OWN_FAMILY)!r}, "
        "which this system does not use"
    )


def _load(card: BundleCard, network: nn.Module, device: torch.device) -> None:
    verify_bundle(card)
    state: dict[str, torch.Tensor] = {}
    for name in card.weights:
        state |= load_file(card.path / name)
    try:
        network.load_state_dict({k: v.float() for k, v in state.items()})
    except RuntimeError as error:
        raise BundleError(
            f"bundle {card.name}: weights do not fit the network of its card: {error}"
        ) from error
    network.to(device).eval().requires_grad_(False)


def load_unet(card: BundleCard, device: torch.device) -> UNet:
    """Return the trained U-Net of a bundle (plane model or 3D regression): evaluation mode, channels last."""
    network = UNet(_config(card, UNetConfig))
    _load(card, network, device)
    return channels_last(network, network.config.dims)


def load_fusion(card: BundleCard, device: torch.device) -> FusionNetwork:
    """Return the trained fusion network of a bundle, in evaluation mode, channels last."""
    network = FusionNetwork(_config(card, UNetConfig))
    _load(card, network, device)
    return channels_last(network, 3)


def load_monai_unet(card: BundleCard, device: torch.device) -> MonaiUNet:
    """Return the trained MONAI U-Net of a bundle, in evaluation mode, channels last."""
    network = MonaiUNet(_config(card, MonaiUNetConfig))
    _load(card, network, device)
    return channels_last(network, network.config.dims)


def load_velocity(card: BundleCard, device: torch.device) -> VelocityNetwork:
    """Return the trained velocity network of a bundle, of its family, in evaluation mode, channels last."""
    config = config_from_card(card.network)
    if not isinstance(config, TimeResNetConfig | TimeMonaiConfig):
        raise _unused(card)
    network = make_velocity_network(config)
    _load(card, network, device)
    return channels_last(network, network.config.dims)


def load_segresnet(card: BundleCard, device: torch.device) -> SegResNet:
    """Return the trained segmentation network of a bundle, in evaluation mode, channels last.

    Raises
    ------
    BundleError
        If the bundle holds another kind of network, or its card names no regions.
    """
    family = card.network.get("family", OWN_FAMILY)
    if family != SEGRESNET or not card.network.get("regions"):
        raise BundleError(
            f"bundle {card.name}: found a network of family {family!r}, accepted is {SEGRESNET!r} with its "
            "regions: a network that segments"
        )
    network = SegResNet(SegResNetConfig(**_fitting(SegResNetConfig, card.network)))
    _load(card, network, device)
    return channels_last(network, 3)
