"""The *Side by side* dock: every chosen volume in three planes, one row each, all of them linked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.components import ViewerModel
from napari.layers import Image
from qtpy.compat import isalive
from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_vol2vol.anatomical_planes import PLANES
from napari_vol2vol.ui import settings
from napari_vol2vol.ui.crosshair import Crosshair, World
from napari_vol2vol.ui.mirror import LayerPair
from napari_vol2vol.ui.plane_view import PlaneView
from napari_vol2vol.ui.window_layout import DockWatch, arrange, main_window_of, set_role

if TYPE_CHECKING:
    import napari

MOST_ROWS = 4


class VolumeRow:
    """One volume in three planes: a model that holds a copy of its layer, always visible."""

    def __init__(self, layer: Image, crosshair: Crosshair) -> None:
        self.layer = layer
        self.pair = LayerPair(layer, follow_visible=False)
        self.pair.copy.visible = True
        self.model = ViewerModel()
        self.model.layers.append(self.pair.copy)
        self.views = [PlaneView(self.model, plane, crosshair, settings.convention()) for plane in PLANES]
        for view in self.views:
            view.set_caption("bottom-left", layer.name)

    def close(self) -> None:
        """Free canvases and stop following the layer."""
        self.pair.disconnect()
        for view in self.views:
            view.close_view()
            if isalive(view):
                view.deleteLater()


class SideBySide(QWidget):
    """Up to four volumes; crosshair, zoom and pan go together, windows follow those of the layers."""

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.crosshair = Crosshair(self)
        self.choices = QListWidget()
        self.choices.setMaximumHeight(90)
        self.refresh_button = QPushButton("Show")
        self.rows: list[VolumeRow] = []
        self._grid = QGridLayout()
        self._grid.setSpacing(2)
        self._closed = self._following = False
        top = QHBoxLayout()
        top.addWidget(self.choices, stretch=1)
        top.addWidget(self.refresh_button)
        layout = QVBoxLayout(self)
        layout.addLayout(top)
        layout.addLayout(self._grid, stretch=1)
        self.refresh_button.clicked.connect(self.show_chosen)
        for event in (napari_viewer.layers.events.inserted, napari_viewer.layers.events.removed):
            event.connect(self._on_layers)
        self.crosshair.moved.connect(self._on_crosshair)
        napari_viewer.dims.events.point.connect(self._on_main_dims)
        set_role(self, "middle")
        self._watch = DockWatch(self, self._on_docked, self.close_dock)
        self._on_layers()

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return a size in which two rows are comfortable."""
        return QSize(900, 760)

    def chosen(self) -> list[Image]:
        """Return the ticked layers, at most four, in the order of the list."""
        names = [
            self.choices.item(i).text()
            for i in range(self.choices.count())
            if self.choices.item(i).checkState() == Qt.CheckState.Checked
        ]
        return [self.viewer.layers[name] for name in names if name in self.viewer.layers][:MOST_ROWS]

    def choose(self, names: list[str]) -> None:
        """Tick these layers and show them."""
        for i in range(self.choices.count()):
            item = self.choices.item(i)
            item.setCheckState(Qt.CheckState.Checked if item.text() in names else Qt.CheckState.Unchecked)
        self.show_chosen()

    def show_chosen(self) -> None:
        """Make one row of three planes for every ticked layer."""
        self._clear()
        for number, layer in enumerate(self.chosen()):
            row = VolumeRow(layer, self.crosshair)
            self.rows.append(row)
            for column, view in enumerate(row.views):
                self._grid.addWidget(view, number, column)
                camera = view.model.scene.camera
                camera.events.zoom.connect(lambda event, v=view: self._on_camera(v))
                camera.events.center.connect(lambda event, v=view: self._on_camera(v))
        if self.rows:
            middle = self.rows[0].model.layers.extent.world.mean(axis=0)
            self.crosshair.move((middle[0], middle[1], middle[2]))

    def close_dock(self) -> None:
        """Free the canvases and stop following the viewer; can be called twice."""
        if self._closed:
            return
        self._closed = True
        for event in (self.viewer.layers.events.inserted, self.viewer.layers.events.removed):
            event.disconnect(self._on_layers)
        self.viewer.dims.events.point.disconnect(self._on_main_dims)
        self._clear()

    # ------------------------------------------------------------------ reactions

    def _clear(self) -> None:
        for row in self.rows:
            for view in row.views:
                self._grid.removeWidget(view)
            row.close()
        self.rows = []

    def _on_layers(self, event: object = None) -> None:
        ticked = {layer.name for layer in self.chosen()} if self.choices.count() else None
        images = [layer for layer in self.viewer.layers if isinstance(layer, Image) and layer.ndim == 3]
        self.choices.clear()
        for layer in images:
            item = QListWidgetItem(layer.name)
            on = layer.visible if ticked is None else layer.name in ticked
            item.setCheckState(Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)
            self.choices.addItem(item)
        gone = [row for row in self.rows if row.layer not in self.viewer.layers]
        if gone:
            self.show_chosen()

    def _on_camera(self, view: PlaneView) -> None:
        """Give the other rows of the same plane the same zoom and centre."""
        if self._following:
            return
        self._following = True
        try:
            mine = view.model.scene.camera
            for row in self.rows:
                for other in row.views:
                    if other is not view and other.plane is view.plane:
                        other.model.scene.camera.zoom = mine.zoom
                        other.model.scene.camera.center = mine.center
        finally:
            self._following = False

    def _on_crosshair(self, position: World) -> None:
        if self.viewer.dims.ndim == 3 and not self._closed:
            self._following, before = True, self._following
            self.viewer.dims.set_point(range(3), position)
            self._following = before

    def _on_main_dims(self, event: object = None) -> None:
        if self.viewer.dims.ndim == 3 and not self._following and self.rows:
            z, y, x = self.viewer.dims.point
            self.crosshair.move((z, y, x))

    def _on_docked(self) -> None:
        window = main_window_of(self)
        if window is not None and not self._closed:
            arrange(window)
