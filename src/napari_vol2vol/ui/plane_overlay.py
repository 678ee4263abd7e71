"""A transparent sheet over one slice: paints letters and crosshair, turns the mouse into gestures."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QPointF, QRectF, Qt, Signal
from qtpy.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPixmap, QWheelEvent
from qtpy.QtWidgets import QWidget

from napari_vol2vol.ui.orientation_letters import draw_captions, draw_crosshair, draw_letters

ZOOM_PER_NOTCH = 1.15
KEY_SLICES = {
    Qt.Key.Key_Up: 1,
    Qt.Key.Key_Down: -1,
    Qt.Key.Key_PageUp: 10,
    Qt.Key.Key_PageDown: -10,
}


class PlaneOverlay(QWidget):
    """Gestures as signals, in pixels of this widget; what is painted is set by the plane view.

    Left-drag points, right-drag windows, middle-drag pans, the wheel scrolls, ctrl-wheel zooms, double-click
    enlarges; up, down and page keys scroll.
    """

    pointed = Signal(QPointF)
    hovered = Signal(QPointF)
    left = Signal()
    scrolled = Signal(int)
    zoomed = Signal(float, QPointF)
    panned = Signal(QPointF)
    windowing_began = Signal()
    windowed = Signal(float, float)
    enlarged = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setCursor(Qt.CursorShape.CrossCursor)
        self.letters: dict[str, str] = {}
        self.captions: dict[str, str] = {}
        self.point: QPointF | None = None
        self._pressed = Qt.MouseButton.NoButton
        self._start = self._last = QPointF()
        self._wheel = 0
        self._written: tuple[object, ...] = ()
        self._picture = QPixmap()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Paint crosshair, letters and captions; a new slice costs two lines and a picture."""
        painter = QPainter(self)
        if self.point is not None:
            draw_crosshair(painter, QRectF(self.rect()), self.point)
        painter.drawPixmap(0, 0, self._writing())
        painter.end()

    def _writing(self) -> QPixmap:
        """Return letters and captions as a picture, painted anew only where they changed."""
        key = (self.width(), self.height(), tuple(self.letters.items()), tuple(self.captions.items()))
        if key != self._written:
            ratio = self.devicePixelRatioF()
            self._picture = QPixmap(round(self.width() * ratio), round(self.height() * ratio))
            self._picture.setDevicePixelRatio(ratio)
            self._picture.fill(Qt.GlobalColor.transparent)
            painter = QPainter(self._picture)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            draw_letters(painter, QRectF(self.rect()), self.letters)
            draw_captions(painter, QRectF(self.rect()), self.captions)
            painter.end()
            self._written = key
        return self._picture

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Begin a drag; a left press points at once."""
        self._pressed = event.button()
        self._start = self._last = event.position()
        if self._pressed == Qt.MouseButton.LeftButton:
            self.pointed.emit(self._last)
        elif self._pressed == Qt.MouseButton.RightButton:
            self.windowing_began.emit()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Continue the drag, or tell what lies under the cursor."""
        position = event.position()
        if self._pressed == Qt.MouseButton.LeftButton:
            self.pointed.emit(position)
        elif self._pressed == Qt.MouseButton.RightButton:
            moved = position - self._start
            self.windowed.emit(moved.x(), moved.y())
        elif self._pressed == Qt.MouseButton.MiddleButton:
            self.panned.emit(position - self._last)
        self._last = position
        self.hovered.emit(position)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """End the drag."""
        self._pressed = Qt.MouseButton.NoButton

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Ask for one plane large, or all of them again."""
        if event.button() == Qt.MouseButton.LeftButton:
            self.enlarged.emit()

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802
        """Scroll by whole slices, or zoom with ctrl; touchpads add up to a notch first."""
        event.accept()
        self._wheel += event.angleDelta().y()
        notches = int(self._wheel / 120)
        self._wheel -= notches * 120
        if notches == 0:
            return
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.zoomed.emit(ZOOM_PER_NOTCH**notches, event.position())
        else:
            self.scrolled.emit(notches)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Scroll with the keyboard; other keys go on to the window."""
        if slices := KEY_SLICES.get(Qt.Key(event.key())):
            self.scrolled.emit(slices)
        else:
            event.ignore()

    def leaveEvent(self, event: QEvent) -> None:  # noqa: N802
        """Tell that nothing is under the cursor any more."""
        self.left.emit()
