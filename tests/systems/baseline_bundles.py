"""Bundles of i2sb, unet, pix2pix and pix2pix-3d with tiny untrained networks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from napari_vol2vol.networks.monai_unet import MonaiUNet, MonaiUNetConfig
from napari_vol2vol.networks.unet import UNet
from napari_vol2vol.training.export import export_bundle
from napari_vol2vol.training.recipe import load_recipe
from tiny_bundles import PLANE, stirred

TINY = MonaiUNetConfig(2, 1, 1, (8, 16), (2,), last=8, labels=3)
TINY_3D = MonaiUNetConfig(3, 1, 1, (8, 16), (2,), last=8)
NETWORKS = {
    "i2sb": (UNet, PLANE),
    "unet": (MonaiUNet, TINY),
    "pix2pix": (MonaiUNet, TINY),
    "pix2pix-3d": (MonaiUNet, TINY_3D),
}


def make_baselines(folder: Path, **changes: object) -> dict[str, Path]:
    """Write ``sr4-t1-<system>`` for each system, with ``changes`` to its recipe, and return the folders."""
    written = {}
    for system, (kind, config) in NETWORKS.items():
        torch.manual_seed(0)
        recipe = replace(load_recipe(f"sr4-t1-{system}"), **changes)
        scale = 1.0 if system == "i2sb" else 0.2
        written[system] = export_bundle(
            recipe, stirred(kind(config)), config, folder / recipe.name,
            scale=scale, steps=0, seconds=0.0, requires={},
        )  # fmt: skip
    return written
