"""One anatomical plane: a napari canvas that mirrors the main viewer, with an overlay for everything else."""

from __future__ import annotations

from napari.components import ViewerModel
from napari.qt import QtViewer
from qtpy.compat import isalive
from qtpy.QtCore import QPoint, QPointF, QSize, Signal
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_vol2vol.anatomical_planes import Convention, Plane, position_text
from napari_vol2vol.ui.crosshair import Crosshair, World
from napari_vol2vol.ui.mirror import LayerMirror
from napari_vol2vol.ui.plane_overlay import PlaneOverlay

FIT_MARGIN = 0.09
ZOOM_RANGE = (0.02, 400.0)


class PlaneView(QWidget):
    """Shows the slice of ``plane`` through the crosshair. Everything here runs on the main thread."""

    hovered = Signal(object)

    def __init__(
        self, viewer: ViewerModel, plane: Plane, crosshair: Crosshair, convention: Convention
    ) -> None:
        super().__init__()
        self.plane = plane
        self.model = ViewerModel(title=plane.title)
        self.canvas = QtViewer(self.model)
        self.canvas.dims.hide()
        self.canvas.setAcceptDrops(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.canvas)
        self.overlay = PlaneOverlay(self)
        self._crosshair = crosshair
        self._convention: Convention = convention
        self._fitted = True
        self._mirror: LayerMirror | None = LayerMirror(viewer, self.model)
        self._connect()
        self.set_convention(convention)
        self._on_ndim()

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Return the size down to which a plane stays readable."""
        return QSize(140, 120)

    def close_view(self, *, dying: bool = False) -> None:
        """Disconnect and free the canvas; can be called twice, also while or after Qt deletes it."""
        if self._mirror is None:
            return
        alive = isalive(self.canvas) and not dying
        self._mirror.close(clear=alive)
        self._mirror = None
        if alive:
            self._crosshair.moved.disconnect(self._on_crosshair)
            self.canvas.close()
        del self.canvas

    # ------------------------------------------------------------------ where things are

    def to_screen(self, world: World) -> QPointF:
        """Return where a world point lies, in pixels of this widget."""
        camera, origin, (height, width) = (
            self.model.scene.camera,
            self._canvas_origin(),
            self.model.canvas.size,
        )
        across = 1 if self.plane.grows_right(self._convention) else -1
        x = width / 2 + across * (world[self.plane.horizontal] - camera.center[-1]) * camera.zoom
        y = height / 2 - (world[self.plane.vertical] - camera.center[-2]) * camera.zoom
        return QPointF(x + origin.x(), y + origin.y())

    def to_world(self, pixel: QPointF) -> World:
        """Return the world point under a pixel of this widget, on the slice that is shown."""
        camera, origin, (height, width) = (
            self.model.scene.camera,
            self._canvas_origin(),
            self.model.canvas.size,
        )
        across = 1 if self.plane.grows_right(self._convention) else -1
        world = list(self._crosshair.position)
        world[self.plane.horizontal] = (
            camera.center[-1] + across * (pixel.x() - origin.x() - width / 2) / camera.zoom
        )
        world[self.plane.vertical] = camera.center[-2] - (pixel.y() - origin.y() - height / 2) / camera.zoom
        return world[0], world[1], world[2]

    def _canvas_origin(self) -> QPoint:
        return self.canvas.canvas.native.mapTo(self, QPoint(0, 0))

    # ------------------------------------------------------------------ what others ask for

    def set_convention(self, convention: Convention) -> None:
        """Turn the plane to the radiological or neurological convention."""
        self._convention = convention
        self.model.scene.camera.orientation2d = self.plane.orientation2d(convention)
        self.overlay.letters = self.plane.letters(convention)
        self._paint()

    def fit(self) -> None:
        """Show everything there is."""
        self._fitted = True
        if self.model.layers:
            self.model.reset_view(margin=FIT_MARGIN)

    def set_caption(self, corner: str, text: str) -> None:
        """Show a text in a corner (``"bottom-left"`` ...), beside what the plane writes itself."""
        if self.overlay.captions.get(corner) != text:
            self.overlay.captions[corner] = text
            self.overlay.update()

    def follow(self, leading: tuple[float, ...]) -> None:
        """Follow the leading (time) axes of the main viewer."""
        for axis, value in enumerate(leading[: max(self.model.dims.ndim - 3, 0)]):
            self.model.dims.set_point(axis, value)

    # ------------------------------------------------------------------ reactions

    def _connect(self) -> None:
        self._crosshair.moved.connect(self._on_crosshair)
        self.model.dims.events.ndim.connect(self._on_ndim)
        self.model.layers.events.inserted.connect(self._on_layers)
        self.model.layers.events.removed.connect(self._on_layers)
        self.model.canvas.events.size.connect(self._on_canvas_size)
        self.model.scene.camera.events.zoom.connect(self._paint)
        self.model.scene.camera.events.center.connect(self._paint)
        self.overlay.pointed.connect(self._on_pointed)
        self.overlay.hovered.connect(self._on_hovered)
        self.overlay.scrolled.connect(self.scroll)
        self.overlay.zoomed.connect(self._on_zoomed)
        self.overlay.panned.connect(self._on_panned)

    def _on_ndim(self, event: object = None) -> None:
        ndim = self.model.dims.ndim
        if ndim >= 3:
            self.model.dims.order = self.plane.order(ndim)
            self._on_crosshair()

    def _on_layers(self, event: object = None) -> None:
        if self._fitted:
            self.fit()
        self._paint()

    def _on_canvas_size(self, event: object = None) -> None:
        if self._fitted:
            self.fit()
        self._paint()

    def _on_crosshair(self, position: object = None) -> None:
        dims = self.model.dims
        if dims.ndim >= 3:
            dims.set_point(dims.ndim - 3 + self.plane.axis, self._crosshair.position[self.plane.axis])
        self._paint()

    def _on_pointed(self, pixel: QPointF) -> None:
        if self.model.layers:
            self._crosshair.move(self._clamped(self.to_world(pixel)))

    def _on_hovered(self, pixel: QPointF) -> None:
        self.hovered.emit(self.to_world(pixel))

    def scroll(self, slices: int) -> None:
        """Move the crosshair through this plane by a number of slices."""
        if not self.model.layers:
            return
        position = list(self._crosshair.position)
        position[self.plane.axis] += slices * self.model.dims.range[-3 + self.plane.axis].step
        self._crosshair.move(self._clamped((position[0], position[1], position[2])))

    def _clamped(self, world: World) -> World:
        ranges = self.model.dims.range[-3:]
        z, y, x = (min(max(value, r.start), r.stop) for value, r in zip(world, ranges, strict=True))
        return z, y, x

    def _on_zoomed(self, factor: float, pixel: QPointF) -> None:
        camera = self.model.scene.camera
        before = self.to_world(pixel)
        camera.zoom = min(max(camera.zoom * factor, ZOOM_RANGE[0]), ZOOM_RANGE[1])
        self._shift(before, self.to_world(pixel))

    def _on_panned(self, delta: QPointF) -> None:
        middle = QPointF(self.width() / 2, self.height() / 2)
        self._shift(self.to_world(middle), self.to_world(middle + delta))

    def _shift(self, wanted: World, found: World) -> None:
        self._fitted = False
        camera, plane = self.model.scene.camera, self.plane
        camera.center = (
            camera.center[0],
            camera.center[-2] + wanted[plane.vertical] - found[plane.vertical],
            camera.center[-1] + wanted[plane.horizontal] - found[plane.horizontal],
        )

    def _paint(self, event: object = None) -> None:
        position = self._crosshair.position
        self.overlay.point = self.to_screen(position) if self.model.layers else None
        where = f"{position_text(self.plane.axis, position[self.plane.axis])} mm"
        self.overlay.captions["top-left"] = (
            f"{self.plane.title}   {where}" if self.model.layers else self.plane.title
        )
        self.overlay.update()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Keep the overlay over the whole canvas."""
        super().resizeEvent(event)
        self.overlay.setGeometry(self.rect())
        self.overlay.raise_()
