"""A combo box of the 3D image layers of a viewer; keeps its choice while layers come, go and change names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.layers import Image
from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QComboBox

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

NONE_TEXT = "none"


class LayerChoice(QComboBox):
    """Emits ``layer_changed`` when another layer is chosen, by the user or because the chosen one is gone."""

    layer_changed = Signal()

    def __init__(self, viewer: ViewerModel, *, optional: bool = False) -> None:
        super().__init__()
        self._layers = viewer.layers
        self._optional = optional
        self._shown: list[Image | None] = []
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(10)
        for event in (
            self._layers.events.inserted,
            self._layers.events.removed,
            self._layers.events.reordered,
        ):
            event.connect(self.refresh)
        self._layers.events.renamed.connect(self.refresh)
        self.currentIndexChanged.connect(self.layer_changed)
        self.refresh()

    @property
    def layer(self) -> Image | None:
        """The chosen layer, None where there is none."""
        index = self.currentIndex()
        return self._shown[index] if 0 <= index < len(self._shown) else None

    def choose(self, layer: Layer | None) -> None:
        """Choose a layer (None: none); a layer that is not offered is ignored."""
        if layer in self._shown:
            self.setCurrentIndex(self._shown.index(layer))

    def offered(self) -> list[Image]:
        """Return the layers that can be chosen."""
        return [layer for layer in self._shown if layer is not None]

    def close_choice(self) -> None:
        """Stop following the viewer."""
        for event in (
            self._layers.events.inserted,
            self._layers.events.removed,
            self._layers.events.reordered,
        ):
            event.disconnect(self.refresh)
        self._layers.events.renamed.disconnect(self.refresh)

    def refresh(self, event: object = None) -> None:
        """Take the layers from the viewer anew, keeping the choice where it still exists."""
        before = self.layer
        images: list[Image | None] = [
            layer for layer in self._layers if isinstance(layer, Image) and layer.ndim == 3 and not layer.rgb
        ]
        self._shown = [None, *images] if self._optional else images
        with QSignalBlocker(self):
            self.clear()
            self.addItems([NONE_TEXT if layer is None else layer.name for layer in self._shown])
            self.setCurrentIndex(
                self._shown.index(before) if before in self._shown else 0 if self._shown else -1
            )
        if self.layer is not before:
            self.layer_changed.emit()
