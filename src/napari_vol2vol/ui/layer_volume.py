"""From a layer to the volume it shows, and its modality: guessed when it was read, correctable here."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from napari_vol2vol.volume import METADATA_KEY, Volume

if TYPE_CHECKING:
    from napari.layers import Image

#: Modalities that can be chosen; the first stands for unknown.
MODALITIES = ("unknown", "T1w", "T1ce", "T2w", "FLAIR", "PD", "CT")


def volume_of(layer: Image) -> Volume:
    """Return the volume that a layer shows, with its modality."""
    data = layer.data[0] if layer.multiscale else layer.data
    volume = Volume.from_layer(data, layer.scale, layer.translate, layer.metadata, layer.name, layer.units)
    return replace(volume, modality=modality_of(layer))


def modality_of(layer: Image) -> str | None:
    """Return the modality a layer remembers, else the one that its name spells out, else None."""
    from napari_vol2vol.io.modality import modality_from_name

    known = layer.metadata.get(METADATA_KEY, {})
    if "modality" in known:
        return known["modality"]
    return modality_from_name(layer.name)


def set_modality(layer: Image, modality: str | None) -> None:
    """Make a layer remember its modality; it is saved and used from now on."""
    layer.metadata[METADATA_KEY] = {**layer.metadata.get(METADATA_KEY, {}), "modality": modality}
