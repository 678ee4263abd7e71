"""The values under the cursor, in the units of their layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Image

from napari_vol2vol.volume import METADATA_KEY

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

#: More layers than these (from the top) would not fit into one line.
SHOWN_LAYERS = 3


def value_at(layer: Layer, world: tuple[float, ...]) -> float | None:
    """Return the voxel value of an image layer at a world point (leading axes included), None outside it."""
    index = tuple(np.round(layer.world_to_data(world)).astype(int))
    if any(i < 0 or i >= n for i, n in zip(index, layer.data.shape, strict=True)):
        return None
    return float(layer.data[index])


def units_of(layer: Layer) -> str:
    """Return the units of a layer's values as recorded by `Volume.to_layer`, ``"a.u."`` where none are."""
    record = layer.metadata.get(METADATA_KEY) or {}
    return str(record.get("units") or "a.u.")


def number_text(value: float) -> str:
    """Return a value with about three significant digits, never in exponents for the usual ranges."""
    if abs(value) >= 100 or value == 0:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"


def readout(viewer: ViewerModel, world: tuple[float, ...]) -> str:
    """Return ``"x̂0 412 a.u. · T1 low 398 a.u."`` for the topmost visible image layers at a world point."""
    parts = []
    for layer in reversed(viewer.layers):
        if not (isinstance(layer, Image) and layer.visible) or layer.rgb or layer.ndim != len(world):
            continue
        value = value_at(layer, world)
        if value is not None:
            parts.append(f"{layer.name}  {number_text(value)} {units_of(layer)}")
        if len(parts) == SHOWN_LAYERS:
            break
    return "    ".join(parts)
