"""Window and level: which layer a drag means, and what a drag in pixels does to its contrast limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from napari.layers import Image

from napari_vol2vol.ct_windows import window_text
from napari_vol2vol.ui.reading.view_state import DRAG_UP, dragged
from napari_vol2vol.volume import METADATA_KEY

if TYPE_CHECKING:
    from napari.components import ViewerModel


def windowed_layer(viewer: ViewerModel) -> Image | None:
    """Return the image layer a drag acts on: the active one if it is seen, else the topmost one seen."""
    active = viewer.layers.selection.active
    if isinstance(active, Image) and active.visible and not active.rgb:
        return active
    for layer in reversed(viewer.layers):
        if isinstance(layer, Image) and layer.visible and not layer.rgb:
            return layer
    return None


def is_ct(layer: Image) -> bool:
    """Return whether the values of a layer are Hounsfield units, as its volume says."""
    remembered = layer.metadata.get(METADATA_KEY)
    return isinstance(remembered, Mapping) and remembered.get("units") == "HU"


def dragged_limits(
    limits: tuple[float, float], right_px: float, down_px: float, up: str = DRAG_UP[0]
) -> tuple[float, float]:
    """Return the limits after a drag: right widens the window, up makes the image ``up`` (`DRAG_UP`).

    The window never closes: its width stays at least a thousandth of what it was when the drag began.
    """
    low, high = (float(value) for value in limits)
    return dragged((low, max(high, low + 1e-6)), right_px, down_px, up)


__all__ = ["dragged_limits", "is_ct", "window_text", "windowed_layer"]
