"""Bundles of tiny untrained priors for the reconstructions, of one and of two channels."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from napari_vol2vol.bundles import library
from napari_vol2vol.bundles.library import PRIOR_TASK, file_digest
from napari_vol2vol.networks.unet import UNet, UNetConfig
from tiny_bundles import stirred

SYSTEMS = ("ddnm", "dps", "dds", "diffusion-mbir", "scd", "ddip", "d3ip", "d3ip-mbir", "d3ip-meta")


def use_only(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Let no bundle be found but those in a folder."""
    patch.setattr(library, "bundle_folders", lambda: [folder])


def prior_config(channels: int) -> UNetConfig:
    """Two levels, so that slices must be divisible by 4."""
    return UNetConfig(2, channels, channels, (16, 32), (1, 1), (1, 1), stem=2, embedding=32, labels=3)


def make_prior(folder: Path, channels: int = 1) -> Path:
    """Write a prior named ``tiny-prior-CHANNELS`` with its card, and return its folder."""
    config = prior_config(channels)
    torch.manual_seed(channels)
    network = stirred(UNet(config), channels)
    path = folder / f"tiny-prior-{channels}"
    path.mkdir(parents=True)
    save_file({k: v.contiguous() for k, v in network.state_dict().items()}, path / "model.safetensors")
    own = {
        "task": PRIOR_TASK, "systems": SYSTEMS, "training": "none", "limits": "untrained",
        "modality": ["CT", "T1w"],
        "input_spacing_mm": [[0.1] * 3, [20.0] * 3], "network": config.__dict__ | {"family": "unet"},
        "diffusion": {"what": "image", "scale": 0.3, "prediction": "v", "schedule": "vp_linear",
                      "schedule_parameters": {}},
        "factor": [1, 1, 1], "planes": ["axial"], "default_steps": 20, "inputs": [], "target": "image",
        "weights": {"model.safetensors": file_digest(path / "model.safetensors")}, "requires": {},
    }  # fmt: skip
    card = {"name": path.name, "title": "Tiny prior", "description": "untrained", "licence": "BSD-3-Clause",
            "version": "0", "vol2vol": own}  # fmt: skip
    (path / "metadata.json").write_text(json.dumps(card))
    return path
