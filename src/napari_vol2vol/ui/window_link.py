"""One window for several layers: napari's `link_layers` keeps linked layers alive for ever, this does not."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakSet

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.utils.events import Event


class WindowLink:
    """Layers added here always have the same contrast limits (main thread only)."""

    def __init__(self) -> None:
        self._layers: WeakSet[Image] = WeakSet()
        self._setting = False

    def add(self, layer: Image) -> None:
        """Give a layer the shared window and keep it there; the first one brings the window along."""
        first = next(iter(self._layers), None)
        if layer in self._layers:
            return
        if first is not None:
            layer.contrast_limits = first.contrast_limits
        self._layers.add(layer)
        layer.events.contrast_limits.connect(self._on_limits)

    def _on_limits(self, event: Event) -> None:
        if self._setting:
            return
        self._setting = True
        try:
            limits = event.source.contrast_limits
            for layer in list(self._layers):
                if layer is not event.source:
                    layer.contrast_limits = limits
        finally:
            self._setting = False
