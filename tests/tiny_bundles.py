"""Bundles with tiny untrained networks: everything but the quality is real."""

from __future__ import annotations

from pathlib import Path

import torch

from napari_vol2vol.networks.fusion import FusionNetwork
from napari_vol2vol.networks.unet import UNet, UNetConfig
from napari_vol2vol.training.export import export_bundle
from napari_vol2vol.training.recipe import load_recipe

PLANE = UNetConfig(2, 2, 1, (16, 32), (1, 1), (1, 1), stem=2, embedding=32, labels=3)
FUSION = UNetConfig(3, 4, 2, (16, 32), (1, 1), (1, 1), stem=2, embedding=32, inject_channels=(32, 64))
REGRESSION = UNetConfig(3, 1, 1, (16, 32), (1, 1), (1, 1), stem=2, embedding=32)
SCALE = 0.2


def stirred(network: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """Give the zero-initialised last layers small random weights, so that a network does something."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in network.parameters():
        if not parameter.any():
            parameter.data = 0.05 * torch.randn(parameter.shape, generator=generator)
    return network


def make_bundles(folder: Path, *, trained_fusion: bool = True) -> Path:
    """Write bundles ``sr4-t1-planes``, ``sr4-t1-fusion`` and ``sr4-t1-regression`` of tiny networks."""
    torch.manual_seed(0)
    common = {"scale": SCALE, "steps": 0, "seconds": 0.0}
    planes = load_recipe("sr4-t1-planes")
    network = stirred(UNet(PLANE))
    where = export_bundle(planes, network, PLANE, folder / planes.name, requires={}, **common)
    from napari_vol2vol.bundles.card import read_card

    digest = next(iter(read_card(where).weights.values()))
    fusion = load_recipe("sr4-t1-fusion")
    fused = FusionNetwork(FUSION)
    export_bundle(
        fusion, stirred(fused, 1) if trained_fusion else fused, FUSION, folder / fusion.name,
        requires={planes.name: digest}, feature_scales=(2, 4), **common,
    )  # fmt: skip
    regression = load_recipe("sr4-t1-regression")
    export_bundle(
        regression, stirred(UNet(REGRESSION), 2), REGRESSION, folder / regression.name, requires={}, **common
    )
    return folder


__all__ = ["FUSION", "PLANE", "REGRESSION", "make_bundles", "stirred"]
