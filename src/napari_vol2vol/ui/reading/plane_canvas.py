"""One plane of one volume, painted straight from its array."""

from __future__ import annotations

from collections.abc import Mapping

from qtpy.QtCore import QPointF, QRectF, Qt, Signal
from qtpy.QtGui import QColor, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QWidget

from napari_vol2vol.anatomical_planes import Plane, position_text
from napari_vol2vol.ui.plane_overlay import PlaneOverlay
from napari_vol2vol.ui.reading.view_state import ViewState

FRAME = QColor("#ffd166")
EDGE = QColor("#3a3f47")
MARK = QColor("#ff5d73")
FIT = 0.92


class PlaneCanvas(PlaneOverlay):
    """Paints a slice under the letters; gestures are those of `PlaneOverlay`, keys go to the window."""

    windowing_ended = Signal()
    activated = Signal()

    def __init__(self, parent: QWidget, state: ViewState, position: int, plane: Plane) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setMinimumSize(120, 100)
        self.state, self.position, self.plane = state, position, plane
        self.active = False
        self.mark_mm: tuple[float, float, float] | None = None

    @property
    def pixels_per_mm(self) -> float:
        """Screen pixels per mm, with the zoom."""
        grid = self.state.grids[self.position]
        wide, high = (
            end - start for start, end in map(grid.ends, (self.plane.horizontal, self.plane.vertical))
        )
        return FIT * min(self.width() / wide, self.height() / high) * self.state.zoom

    def to_screen(self, mm: tuple[float, float, float]) -> QPointF:
        """Return where a position lies on the canvas."""
        scale, right = self.pixels_per_mm, self._right()
        across = (mm[self.plane.horizontal] - self.state.centre[self.plane.horizontal]) * right
        up = mm[self.plane.vertical] - self.state.centre[self.plane.vertical]
        return QPointF(self.width() / 2 + across * scale, self.height() / 2 - up * scale)

    def to_mm(self, at: QPointF) -> dict[int, float]:
        """Return what lies at a pixel, by axis."""
        scale, centre = self.pixels_per_mm, self.state.centre
        across = (at.x() - self.width() / 2) / scale * self._right()
        up = (self.height() / 2 - at.y()) / scale
        return {
            self.plane.horizontal: centre[self.plane.horizontal] + across,
            self.plane.vertical: centre[self.plane.vertical] + up,
        }

    def moved_mm(self, pixels: QPointF) -> dict[int, float]:
        """Return how far the centre moves when the picture is dragged by so many pixels."""
        scale = self.pixels_per_mm
        return {
            self.plane.horizontal: -pixels.x() / scale * self._right(),
            self.plane.vertical: pixels.y() / scale,
        }

    def picture(self) -> QRectF:
        """Return where the slice is painted."""
        grid, (z, y, x) = self.state.grids[self.position], self.state.centre
        corners = []
        for end in (0, 1):
            mm = [z, y, x]
            for axis in (self.plane.horizontal, self.plane.vertical):
                mm[axis] = grid.ends(axis)[end]
            corners.append(self.to_screen((mm[0], mm[1], mm[2])))
        return QRectF(*corners).normalized()

    def caption(self) -> Mapping[str, str]:
        """Return the captions in the corners: the plane's position, no file, no value."""
        axis = self.plane.axis
        mm = self.state.grids[self.position].mm(axis, self.state.index(self.position, self.plane))
        return {"bottom-left": f"{position_text(axis, mm)} mm", "top-left": self.plane.title.lower()}

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Paint slice, mark and frame, then crosshair, letters and captions over them."""
        grey = self.state.slice_bytes(self.position, self.plane)
        high, wide = grey.shape
        image = QImage(grey.data, wide, high, wide, QImage.Format.Format_Grayscale8)
        painter = QPainter(self)
        painter.fillRect(self.rect(), Qt.GlobalColor.black)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(self.picture(), image)
        painter.setPen(QPen(FRAME if self.active else EDGE, 2 if self.active else 1))
        painter.drawRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5))
        if self._mark_is_here():
            painter.setPen(QPen(MARK, 2))
            painter.drawEllipse(self.to_screen(self.mark_mm), 9, 9)
        painter.end()
        self.letters = self.plane.letters(self.state.convention)
        self.captions = dict(self.caption())
        self.point = self.to_screen(self.state.point)
        super().paintEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Make this the active plane, then begin the drag."""
        self.activated.emit()
        super().mousePressEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """End the drag; tell where it was a window."""
        if self._pressed == Qt.MouseButton.RightButton:
            self.windowing_ended.emit()
        super().mouseReleaseEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Leave all keys to the window."""
        event.ignore()

    def _right(self) -> int:
        return 1 if self.plane.grows_right(self.state.convention) else -1

    def _mark_is_here(self) -> bool:
        if self.mark_mm is None:
            return False
        grid, axis = self.state.grids[self.position], self.plane.axis
        return grid.index(axis, self.mark_mm[axis]) == self.state.index(self.position, self.plane)
