"""Axial, coronal and sagittal at once, with a linked crosshair, in front of the layers of the main viewer.

Built on public napari API only: each plane is a `napari.qt.QtViewer` over its own `ViewerModel`, whose layers
mirror those of the main viewer. Everything in this file runs on the main thread.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING
from weakref import ref

import numpy as np
from qtpy.compat import isalive
from qtpy.QtCore import QSize, Qt, QTimer
from qtpy.QtGui import QHideEvent, QKeyEvent, QShowEvent
from qtpy.QtWidgets import QGridLayout, QLabel, QMainWindow, QSizePolicy, QVBoxLayout, QWidget

from napari_vol2vol.anatomical_planes import AXIAL, CORONAL, PLANES, SAGITTAL, Convention, point_text
from napari_vol2vol.ct_windows import CT_WINDOWS
from napari_vol2vol.ui import settings
from napari_vol2vol.ui.crosshair import Crosshair, World
from napari_vol2vol.ui.curves_panel import CurvesPanel
from napari_vol2vol.ui.plane_view import PlaneView
from napari_vol2vol.ui.readout import readout
from napari_vol2vol.ui.session import session_of
from napari_vol2vol.ui.views_bar import ViewsBar
from napari_vol2vol.ui.window_layout import (
    DockWatch,
    arrange,
    main_window_of,
    set_main_canvas_visible,
    set_role,
)
from napari_vol2vol.ui.window_level import dragged_limits, is_ct, window_text, windowed_layer

if TYPE_CHECKING:
    import napari
    from napari.layers import Image

#: Row and column of each panel; the fourth is for the curves.
CELLS = {"axial": (0, 0), "sagittal": (0, 1), "coronal": (1, 0), "curves": (1, 1)}
#: The sliders of the main viewer follow the crosshair after this many ms: slicing there would slow a drag.
MAIN_DIMS_DELAY_MS = 60


class ThreeViews(QWidget):
    """The dock *Three views*."""

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.crosshair = Crosshair(self)
        self.convention: Convention = settings.convention()
        self.planes = {p.name: PlaneView(napari_viewer, p, self.crosshair, self.convention) for p in PLANES}
        self.curves = CurvesPanel(session_of(napari_viewer).curves)
        self.bar = ViewsBar(self.convention)
        self.status = QLabel()
        self._large: str | None = None
        self._limits = (0.0, 1.0)
        self._windowed: Image | None = None
        self._closed = self._syncing = False
        self._window: Callable[[], QMainWindow | None] = lambda: None
        self._main_timer = QTimer(self, singleShot=True, interval=MAIN_DIMS_DELAY_MS)
        self._lay_out()
        self._connect()
        set_role(self, "middle")
        self._watch = DockWatch(self, self._on_docked, self.close_views)
        self.destroyed.connect(partial(_close_if_there, ref(self)))
        self._on_layers()

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return a size in which four panels are comfortable."""
        return QSize(900, 760)

    # ------------------------------------------------------------------ building

    def _lay_out(self) -> None:
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        panels: dict[str, QWidget] = {**self.planes, "curves": self.curves}
        grid = QGridLayout()
        grid.setSpacing(3)
        for name, (row, column) in CELLS.items():
            panels[name].setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)
            grid.addWidget(panels[name], row, column)
        for index in (0, 1):
            grid.setRowStretch(index, 1)
            grid.setColumnStretch(index, 1)
        self._grid = grid
        self.status.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.status.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.status.setMinimumHeight(22)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 2, 4, 2)
        layout.setSpacing(3)
        layout.addWidget(self.bar)
        layout.addLayout(grid, stretch=1)
        layout.addWidget(self.status)

    def _connect(self) -> None:
        for view in self.planes.values():
            view.hovered.connect(self._show_readout)
            view.overlay.left.connect(self._show_point)
            view.overlay.windowing_began.connect(self._on_windowing_began)
            view.overlay.windowed.connect(self._on_windowed)
            view.overlay.enlarged.connect(self._on_enlarged)
        self.crosshair.moved.connect(self._on_crosshair)
        self._main_timer.timeout.connect(self._move_main_dims)
        self.bar.convention_changed.connect(self.set_convention)
        self.bar.reset_asked.connect(self.reset)
        self.bar.canvas_toggled.connect(self._on_canvas_toggled)
        self.bar.ct_window_chosen.connect(self.set_ct_window)
        self.viewer.layers.events.inserted.connect(self._on_layers)
        self.viewer.layers.events.removed.connect(self._on_layers)
        self.viewer.layers.selection.events.active.connect(self._show_window)
        self.viewer.dims.events.point.connect(self._on_main_dims)
        session_of(self.viewer).status_changed.connect(self.bar.show_run_status)
        self.bar.show_run_status(session_of(self.viewer).status)

    # ------------------------------------------------------------------ what can be asked for

    def set_convention(self, convention: Convention) -> None:
        """Switch all planes between radiological and neurological."""
        self.convention = convention
        self.bar.show_convention(convention)
        for view in self.planes.values():
            view.set_convention(convention)

    def set_ct_window(self, name: str) -> None:
        """Show the seen layer in one of `CT_WINDOWS`; layers that share its window follow."""
        layer = windowed_layer(self.viewer)
        if layer is not None:
            layer.contrast_limits = CT_WINDOWS[name].limits
            self._show_window()

    def enlarge(self, name: str | None) -> None:
        """Show one panel alone (``"axial"`` ...), or all four with None."""
        self._large = name
        for row, column in CELLS.values():
            item = self._grid.itemAtPosition(row, column)
            item.widget().setVisible(name is None or CELLS[name] == (row, column))
        for index in (0, 1):
            self._grid.setRowStretch(index, int(name is None or CELLS[name][0] == index))
            self._grid.setColumnStretch(index, int(name is None or CELLS[name][1] == index))

    def reset(self) -> None:
        """Show all planes, fitted, with the crosshair in the middle of the data."""
        self.enlarge(None)
        self.centre()
        for view in self.planes.values():
            view.fit()

    def centre(self) -> None:
        """Move the crosshair to the middle of all layers."""
        model = self.planes[AXIAL.name].model
        if model.layers:
            middle = model.layers.extent.world.mean(axis=0)[-3:]
            self.crosshair.move((middle[0], middle[1], middle[2]))

    def close_views(self, *, dying: bool = False) -> None:
        """Disconnect everything and free the canvases; can be called twice, also after Qt deleted them.

        While Qt is deleting them (``dying``) they are left alone: a layer taken out would ask sliders that
        have lost their parts already.
        """
        if self._closed:
            return
        self._closed = True
        self.viewer.layers.events.inserted.disconnect(self._on_layers)
        self.viewer.layers.events.removed.disconnect(self._on_layers)
        self.viewer.layers.selection.events.active.disconnect(self._show_window)
        self.viewer.dims.events.point.disconnect(self._on_main_dims)
        session_of(self.viewer).status_changed.disconnect(self.bar.show_run_status, missing_ok=True)
        self.curves.close_curves()
        for view in self.planes.values():
            view.close_view(dying=dying)
        if isalive(self):
            self._main_timer.stop()
            set_main_canvas_visible(self._window(), True)
            self.deleteLater()

    # ------------------------------------------------------------------ reactions

    def _on_docked(self) -> None:
        window = main_window_of(self)
        if window is not None and not self._closed:
            self._window = ref(window)
            set_main_canvas_visible(window, self.bar.main_canvas_wanted())
            arrange(window)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """``R`` resets; other keys go on to napari."""
        if event.key() == Qt.Key.Key_R and not event.modifiers():
            self.reset()
        else:
            super().keyPressEvent(event)

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802
        """Take the room of the main canvas."""
        super().showEvent(event)
        set_main_canvas_visible(self._window(), self.bar.main_canvas_wanted())

    def hideEvent(self, event: QHideEvent) -> None:  # noqa: N802
        """Give the room back to the main canvas, so that the window is never empty."""
        super().hideEvent(event)
        if not event.spontaneous():
            set_main_canvas_visible(self._window(), True)

    def _on_canvas_toggled(self, visible: bool) -> None:
        set_main_canvas_visible(self._window(), visible)

    def _on_layers(self, event: object = None) -> None:
        model = self.planes[AXIAL.name].model
        if len(model.layers) == 1 or (model.layers and not self._inside(self.crosshair.position)):
            self.centre()
        self._show_window()
        self._show_point()

    def _inside(self, world: World) -> bool:
        extent = self.planes[AXIAL.name].model.layers.extent.world[:, -3:]
        return bool(np.all(extent[0] <= world) and np.all(world <= extent[1]))

    def _on_crosshair(self, position: World) -> None:
        self._main_timer.start()
        self._show_readout(position)

    def _move_main_dims(self) -> None:
        dims = self.viewer.dims
        if dims.ndim >= 3 and not self._closed:
            self._syncing = True
            dims.set_point(range(dims.ndim - 3, dims.ndim), self.crosshair.position)
            self._syncing = False

    def _on_main_dims(self, event: object = None) -> None:
        dims = self.viewer.dims
        if self._syncing or dims.ndim < 3:
            return
        for view in self.planes.values():
            view.follow(dims.point[:-3])
        if self._main_timer.isActive():  # the crosshair is on its way there
            return
        sliced = [axis for axis in dims.not_displayed if axis >= dims.ndim - 3]
        position = list(self.crosshair.position)
        for axis in sliced:
            position[axis - dims.ndim + 3] = dims.point[axis]
        self.crosshair.move((position[0], position[1], position[2]))

    def _on_windowing_began(self) -> None:
        self._windowed = windowed_layer(self.viewer)
        if self._windowed is not None:
            self._limits = tuple(self._windowed.contrast_limits)

    def _on_windowed(self, right: float, down: float) -> None:
        if self._windowed is not None:
            self._windowed.contrast_limits = dragged_limits(self._limits, right, down, settings.drag_up())
            self._show_window()

    def _on_enlarged(self) -> None:
        name = self.sender().parent().plane.name
        self.enlarge(None if self._large == name else name)

    def _show_window(self, event: object = None) -> None:
        layer = windowed_layer(self.viewer)
        text = window_text(layer.contrast_limits) if layer is not None else ""
        self.bar.show_ct_window(tuple(layer.contrast_limits) if layer is not None and is_ct(layer) else None)
        for name in (AXIAL.name, CORONAL.name, SAGITTAL.name):
            self.planes[name].set_caption("bottom-left", text)

    def _show_point(self) -> None:
        self._show_readout(self.crosshair.position)

    def _show_readout(self, world: World) -> None:
        if not self.planes[AXIAL.name].model.layers:
            self.status.setText("")
            return
        leading = tuple(self.viewer.dims.point[:-3]) if self.viewer.dims.ndim > 3 else ()
        self.status.setText(f"{point_text(world)}      {readout(self.viewer, (*leading, *world))}")


def _close_if_there(widget: Callable[[], ThreeViews | None], destroyed: object = None) -> None:
    views = widget()
    if views is not None:
        views.close_views(dying=True)
