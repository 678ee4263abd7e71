"""Bundles of tiny untrained segmentation networks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from napari_vol2vol.networks.segresnet import SegResNet, SegResNetConfig
from napari_vol2vol.phantoms.brain import REGIONS
from napari_vol2vol.training.export import export_bundle
from napari_vol2vol.training.recipe import load_recipe

TINY = SegResNetConfig(2, REGIONS, filters=8, blocks_down=(1, 1), blocks_up=(1,))


def make_segmentation_bundle(
    folder: Path, name: str = "brain-regions", config: SegResNetConfig = TINY, **changes
) -> Path:
    """Write a bundle of recipe brain-regions with another network; ``changes`` are fields of the recipe."""
    torch.manual_seed(0)
    recipe = replace(load_recipe("brain-regions"), name=name, **changes)
    return export_bundle(
        recipe, SegResNet(config), config, folder / name, scale=1.0, steps=0, seconds=0.0, requires={}
    )
