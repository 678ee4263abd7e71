"""Networks from bundles: config from the card, parameters from safetensors, always hash-checked."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn

from napari_vol2vol.bundles.card import BundleCard
from napari_vol2vol.bundles.library import verify_bundle
from napari_vol2vol.errors import BundleError
from napari_vol2vol.networks.blocks import channels_last
from napari_vol2vol.networks.fusion import FusionNetwork
from napari_vol2vol.networks.unet import UNet, UNetConfig


def config_from_card(values: dict[str, Any]) -> UNetConfig:
    """Return the `UNetConfig` written in a card."""
    known = {f.name for f in fields(UNetConfig)}
    fitting: dict[str, Any] = {
        k: tuple(v) if isinstance(v, list) else v for k, v in values.items() if k in known
    }
    return UNetConfig(**fitting)


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
    network = UNet(config_from_card(card.network))
    _load(card, network, device)
    return channels_last(network, network.config.dims)


def load_fusion(card: BundleCard, device: torch.device) -> FusionNetwork:
    """Return the trained fusion network of a bundle, in evaluation mode, channels last."""
    network = FusionNetwork(config_from_card(card.network))
    _load(card, network, device)
    return channels_last(network, 3)
