"""The networks that a flow or its regression may have, by the names recipes use."""

from __future__ import annotations

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.networks.time_monai import KINDS, TimeMonai, TimeMonaiConfig, time_monai
from napari_vol2vol.networks.time_resnet import FAMILY as TIME_RESNET
from napari_vol2vol.networks.time_resnet import TimeResNet, TimeResNetConfig, time_resnet

VelocityConfig = TimeResNetConfig | TimeMonaiConfig
VelocityNetwork = TimeResNet | TimeMonai
NETWORKS = (TIME_RESNET, *KINDS)


def velocity_config(network: str, preset: str, in_channels: int = 1) -> VelocityConfig:
    """Return the configuration of a named network and preset.

    Raises
    ------
    SettingsError
        For an unknown network or preset; UMamba is named as missing.
    """
    if network == TIME_RESNET:
        return time_resnet(preset, in_channels)
    if network in KINDS:
        return time_monai(network, preset, in_channels)
    if network.replace("-", "").lower() == "umamba":
        raise SettingsError(
            f"network: found {network!r}, which is missing here: its state space layers (mamba-ssm) are "
            f"kernels for CUDA alone; accepted are {', '.join(NETWORKS)}"
        )
    raise SettingsError(f"network: found {network!r}, accepted are {', '.join(NETWORKS)}")


def make_velocity_network(config: VelocityConfig) -> VelocityNetwork:
    """Return the untrained network of a configuration; its velocity is zero everywhere."""
    return TimeMonai(config) if isinstance(config, TimeMonaiConfig) else TimeResNet(config)


def source_slices_of(config: VelocityConfig) -> int:
    """Return how many slices of the source a network sees beside x_t (0: none, as in the paper)."""
    return config.in_channels - 1


def family_of(config: VelocityConfig) -> str:
    """Return how a card names the family of a configuration."""
    return config.family if isinstance(config, TimeMonaiConfig) else TIME_RESNET


__all__ = [
    "NETWORKS", "VelocityConfig", "VelocityNetwork", "family_of", "make_velocity_network",
    "source_slices_of", "velocity_config",
]  # fmt: skip
