"""The *Compare* dock: two volumes in one picture, by blinking, wiping, a checkerboard or their difference."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QComboBox, QDoubleSpinBox, QPushButton, QShortcut, QVBoxLayout, QWidget

from napari_vol2vol.ui import composites
from napari_vol2vol.ui.layer_choice import LayerChoice
from napari_vol2vol.ui.result_layers import ERROR_COLOURS
from napari_vol2vol.ui.row import Row, note
from napari_vol2vol.ui.window_layout import DockWatch, arrange, main_window_of, set_role

if TYPE_CHECKING:
    import napari
    from napari.layers import Image

MODES = ("blink", "wipe", "checkerboard", "difference")
WIPED = {"left to right": 2, "front to back": 1, "top to bottom": 0}
#: What marks the layer of a comparison, so that none is offered as a volume to compare again.
COMPOSITE_KEY = "vol2vol_composite"
#: The difference is shown up to this share of the window of A, on both sides of zero.
DIFFERENCE_SHARE = 0.2


class CompareDock(QWidget):
    """A and B have to lie on one grid; what is shown is a layer of its own that goes with the dock."""

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.a, self.b = LayerChoice(napari_viewer), LayerChoice(napari_viewer)
        self.mode, self.direction = QComboBox(), QComboBox()
        self.mode.addItems(MODES)
        self.direction.addItems(WIPED)
        self.field = QDoubleSpinBox()
        self.field.setRange(2, 100)
        self.field.setValue(20)
        self.field.setSuffix(" mm")
        self.apply, self.end = QPushButton("Compare"), QPushButton("End")
        self.status = note()
        self.layer: Image | None = None
        self._pair: tuple[Image, Image] | None = None
        self._before: dict[Image, bool] = {}
        self._closed = False
        self.direction_row = Row("Wipe", self.direction, tip="The edge follows the crosshair")
        self.field_row = Row("Field", self.field, tip="Edge of a field of the checkerboard")
        layout = QVBoxLayout(self)
        for widget in (
            Row("A", self.a, number="1", tip="The first volume"),
            Row("B", self.b, number="2", tip="The second volume, on the same grid"),
            Row("Mode", self.mode, number="3", tip="How both are shown in one picture"),
            self.direction_row, self.field_row, self.apply, self.end, self.status,
        ):  # fmt: skip
            layout.addWidget(widget)
        layout.addStretch(1)
        self.blink_key = QShortcut(QKeySequence("B"), self)
        self.blink_key.setContext(Qt.ShortcutContext.WindowShortcut)
        self.blink_key.activated.connect(self.blink)
        self._connect()
        set_role(self, "side")
        self._watch = DockWatch(self, self._on_docked, self.close_dock)
        self._on_choice()

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return a size that shows everything."""
        return QSize(350, 320)

    def close_dock(self) -> None:
        """End the comparison and stop following the viewer; can be called twice."""
        if self._closed:
            return
        self.end_comparison()
        self._closed = True
        self.viewer.dims.events.point.disconnect(self._on_moved)
        self.a.close_choice()
        self.b.close_choice()

    # ------------------------------------------------------------------ actions

    def compare(self) -> None:
        """Show A and B as chosen."""
        if self._reason():
            return
        self.end_comparison()
        self._pair = self.a.layer, self.b.layer
        self._before = {layer: layer.visible for layer in self.viewer.layers}
        for layer in self.viewer.layers:
            layer.visible = layer is self._pair[0]
        if self.mode.currentText() == "blink":
            self.status.setText(f"B blinks · now {self._pair[0].name}")
            return
        first = self._pair[0]
        limits, colours = tuple(first.contrast_limits), first.colormap
        if self.mode.currentText() == "difference":
            high = DIFFERENCE_SHARE * (limits[1] - limits[0])
            limits, colours = (-high, high), ERROR_COLOURS
        keywords = {"scale": first.scale, "translate": first.translate, "units": first.units}
        name = f"{first.name} | {self._pair[1].name} · {self.mode.currentText()}"
        self.layer = self.viewer.add_image(
            self._picture(), name=name, contrast_limits=limits, colormap=colours,
            metadata={COMPOSITE_KEY: True}, **keywords,
        )  # fmt: skip
        first.visible = False
        self.status.setText(name)

    def end_comparison(self) -> None:
        """Take the picture away and show what was shown before."""
        if self.layer is not None and self.layer in self.viewer.layers:
            self.viewer.layers.remove(self.layer)
        for layer, visible in self._before.items():
            if layer in self.viewer.layers:
                layer.visible = visible
        self.layer, self._pair, self._before = None, None, {}
        self.status.setText(self._reason())

    def blink(self) -> None:
        """Swap A and B on the screen."""
        if self._pair is None or self.layer is not None:
            return
        for layer in self._pair:
            layer.visible = not layer.visible
        shown = next((layer.name for layer in self._pair if layer.visible), "")
        self.status.setText(f"B blinks · now {shown}")

    # ------------------------------------------------------------------ reactions

    def _connect(self) -> None:
        for choice in (self.a, self.b):
            choice.layer_changed.connect(self._on_choice)
        self.mode.currentIndexChanged.connect(self._on_choice)
        for signal in (self.direction.currentIndexChanged, self.field.valueChanged):
            signal.connect(self._on_setting)
        self.apply.clicked.connect(self.compare)
        self.end.clicked.connect(self.end_comparison)
        self.viewer.dims.events.point.connect(self._on_moved)

    def _reason(self) -> str:
        a, b = self.a.layer, self.b.layer
        if a is None or b is None:
            return "open two volumes first"
        if a is b:
            return "choose two different layers"
        if a.data.shape != b.data.shape or not np.allclose(a.scale, b.scale, rtol=1e-4):
            return "A and B lie on different grids: resample one of them first"
        return ""

    def _on_choice(self) -> None:
        mode = self.mode.currentText()
        self.direction_row.setVisible(mode == "wipe")
        self.field_row.setVisible(mode == "checkerboard")
        reason = self._reason()
        self.apply.setEnabled(not reason)
        if self._pair is None:
            self.status.setText(reason)

    def _on_setting(self) -> None:
        if self.layer is not None:
            self.layer.data = self._picture()

    def _on_moved(self, event: object = None) -> None:
        if self.layer is not None and " · wipe" in self.layer.name:
            self.layer.data = self._picture()

    def _picture(self) -> np.ndarray:
        first, second = self._pair
        a, b = np.asarray(first.data), np.asarray(second.data)
        mode = self.mode.currentText() if self.layer is None else self.layer.name.rsplit(" · ", 1)[1]
        if mode == "checkerboard":
            return composites.checkerboard(a, b, tuple(first.scale), self.field.value())
        if mode == "difference":
            return composites.difference(a, b)
        axis = WIPED[self.direction.currentText()]
        index = round((self.viewer.dims.point[axis] - first.translate[axis]) / first.scale[axis])
        return composites.wipe(a, b, axis, int(index))

    def _on_docked(self) -> None:
        window = main_window_of(self)
        if window is not None and not self._closed:
            arrange(window)
