"""The card of a bundle: ``metadata.json`` beside its weights."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari_vol2vol.errors import BundleError
from napari_vol2vol.volume import Volume

Range = tuple[tuple[float, float, float], tuple[float, float, float]]


@dataclass(frozen=True)
class BundleCard:
    """What a bundle is, was trained on, and is good for.

    ``metadata.json`` uses the field names of the MONAI Bundle where they apply (``version, task, description,
    authors, copyright, data_source, intended_use``); what only this project needs stands under ``vol2vol``.
    ``spacing_mm`` is the trained range (low, high) of the *input* spacing along (z, y, x). ``weights`` maps
    file name to sha256; ``requires`` names the bundles whose networks this one builds on, and their weights'
    sha256. ``inputs`` names the conditions of the networks in channel order (a modality, or ``base``: the
    smooth inverse of the measurement), ``target`` the modality of the result. ``branches`` lists (bundle,
    plane) of an ensemble; empty: every plane of the one required bundle. ``validation`` holds the last
    figures of training: PSNR in dB, Dice, or MAE in HU, as their names say.
    """

    name: str
    title: str
    description: str
    licence: str
    task: str
    systems: tuple[str, ...]
    training: str
    limits: str
    modality: tuple[str, ...]
    spacing_mm: Range
    path: Path
    version: str = "0"
    network: dict[str, Any] = field(default_factory=dict)
    diffusion: dict[str, Any] = field(default_factory=dict)
    factor: tuple[int, int, int] = (1, 1, 1)
    planes: tuple[str, ...] = ()
    weights: dict[str, str] = field(default_factory=dict)
    requires: dict[str, str] = field(default_factory=dict)
    default_steps: int = 20
    inputs: tuple[str, ...] = ("base",)
    target: str = ""
    branches: tuple[tuple[str, str], ...] = ()
    validation: dict[str, float] = field(default_factory=dict)


def read_card(folder: Path) -> BundleCard:
    """Read ``metadata.json`` of a bundle folder.

    Raises
    ------
    BundleError
        If the file is missing, not JSON, or lacks a field; the message names it.
    """
    path = folder / "metadata.json"
    try:
        raw = json.loads(path.read_text())
    except FileNotFoundError:
        raise BundleError(f"bundle {folder}: metadata.json is missing") from None
    except (OSError, json.JSONDecodeError) as error:
        raise BundleError(f"bundle {folder}: metadata.json cannot be read ({error})") from error
    try:
        own = raw["vol2vol"]
        low, high = (tuple(float(v) for v in side) for side in own["input_spacing_mm"])
        return BundleCard(
            name=raw["name"],
            title=raw["title"],
            description=raw["description"],
            licence=raw["licence"],
            task=own["task"],
            systems=tuple(own["systems"]),
            training=own["training"],
            limits=own["limits"],
            modality=tuple(own["modality"]),
            spacing_mm=(low, high),  # type: ignore[arg-type]
            path=folder,
            version=raw["version"],
            network=own["network"],
            diffusion=own["diffusion"],
            factor=tuple(own["factor"]),
            planes=tuple(own["planes"]),
            weights=own["weights"],
            requires=own["requires"],
            default_steps=own["default_steps"],
            inputs=tuple(own.get("inputs", ("base",))),
            target=own.get("target", own["modality"][0]),
            branches=tuple((bundle, plane) for bundle, plane in own.get("branches", ())),
            validation={k: float(v) for k, v in own.get("validation", {}).items()},
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(f"bundle {folder}: metadata.json: field {error} is missing or malformed") from error


def check_fit(card: BundleCard, volume: Volume) -> list[str]:
    """Return one plain sentence for each way in which a volume lies outside what a bundle was trained on."""
    warnings = []
    low, high = card.spacing_mm
    if any(not lo * 0.999 <= s <= hi * 1.001 for s, lo, hi in zip(volume.spacing_mm, low, high, strict=True)):
        found = " × ".join(f"{s:.2f}" for s in volume.spacing_mm)
        accepted = ", ".join(f"{lo:g}–{hi:g}" for lo, hi in zip(low, high, strict=True))
        warnings.append(f"spacing {found} mm (z, y, x) is outside the trained range {accepted} mm")
    if volume.modality is None:
        warnings.append(f"modality unknown; the bundle was trained on {', '.join(card.modality)}")
    elif volume.modality not in card.modality:
        warnings.append(f"modality {volume.modality}: the bundle was trained on {', '.join(card.modality)}")
    if "CT" not in card.modality and float(volume.data.min()) < -0.05 * max(float(volume.data.max()), 1e-30):
        warnings.append("negative intensities: the bundle was trained on magnitude images (0 and above)")
    return warnings
