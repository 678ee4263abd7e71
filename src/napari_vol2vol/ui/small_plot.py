"""A small line plot painted with Qt alone: axes, a few ticks, the newest line bright and the older ones pale.

pyqtgraph would do as well, but this is 100 lines, needs no dependency and follows napari's theme.
"""

from __future__ import annotations

import math

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF
from qtpy.QtWidgets import QWidget

from napari_vol2vol.ui.curves import Line
from napari_vol2vol.ui.orientation_letters import font

LEFT, RIGHT, TOP, BOTTOM = 52, 12, 32, 22
TITLE = 20
#: No plot here is wider than this many pixels, so more points would not be seen.
MAX_DRAWN = 1200


def ticks(low: float, high: float, log: bool) -> list[float]:
    """Return 2 to 6 round values in [low, high]; for ``log`` the limits are decades (log10)."""
    if log:
        first, last = math.ceil(low - 1e-9), math.floor(high + 1e-9)
        step = max(1, math.ceil((last - first + 1) / 5))
        return [float(v) for v in range(first, last + 1, step)]
    step = 10 ** math.floor(math.log10(max(high - low, 1e-9)))
    step *= next((m for m in (1, 2, 5) if (high - low) / (step * m) <= 5.5), 10)
    first = math.ceil(low / step)
    return [i * step for i in range(first, math.floor(high / step) + 1)]


class SmallPlot(QWidget):
    """One plot of lines against the step; ``log`` puts the values on a decade scale."""

    def __init__(self, title: str, unit: str, log: bool, colour: str) -> None:
        super().__init__()
        self._title, self._unit, self._log, self._colour = title, unit, log, QColor(colour)
        self._lines: list[Line] = []
        self._steps = 1
        self.setMinimumHeight(72)

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return a size that shows the ticks well."""
        return QSize(280, 130)

    def set_lines(self, lines: list[Line], steps: int) -> None:
        """Show these lines over steps 1 to ``steps``."""
        self._lines, self._steps = lines, max(steps, 1)
        self.update()

    def _scaled(self, value: float) -> float:
        return math.log10(max(value, 1e-12)) if self._log else value

    def _limits(self) -> tuple[float, float]:
        values = [self._scaled(v) for line in self._lines for v in line.y if math.isfinite(v)]
        if not values:
            return (-3.0, 0.0) if self._log else (0.0, 1.0)
        low, high = min(values), max(values)
        if self._log:
            return math.floor(low), max(math.ceil(high), math.floor(low) + 1)
        pad = max((high - low) * 0.08, abs(high) * 1e-3, 1e-3)
        return low - pad, high + pad

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Paint title, axes and lines."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), QColor("#0d0f12"))
        box = QRectF(self.rect()).adjusted(LEFT, TOP, -RIGHT, -BOTTOM)
        low, high = self._limits()
        self._paint_title(painter)
        if not self._lines:
            painter.setFont(font(9))
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, "appears while a run is going")
            return
        self._paint_axes(painter, box, low, high)
        painter.setClipRect(box.adjusted(-3, -3, 3, 3))
        for index, line in enumerate(self._lines):
            self._paint_line(painter, box, low, high, line, newest=index == len(self._lines) - 1)
        painter.end()

    def _paint_title(self, painter: QPainter) -> None:
        painter.setFont(font(9))
        painter.setPen(QColor("#b8bdc6"))
        painter.drawText(QRectF(8, 3, self.width() - 90, TITLE), Qt.AlignmentFlag.AlignVCenter, self._title)
        newest = self._lines[-1].y[-1] if self._lines and self._lines[-1].y else None
        if newest is not None:
            text = f"{newest:.1e}" if self._log else f"{newest:.2f} {self._unit}"
            painter.setPen(self._colour)
            where = QRectF(self.width() - 100, 3, 100 - RIGHT, TITLE)
            painter.drawText(where, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, text)

    def _paint_axes(self, painter: QPainter, box: QRectF, low: float, high: float) -> None:
        painter.setFont(font(8))
        grid, text = QPen(QColor("#2a2f37"), 1), QColor("#8a919c")
        for value in ticks(low, high, self._log):
            y = box.bottom() - (value - low) / (high - low) * box.height()
            painter.setPen(grid)
            painter.drawLine(QPointF(box.left(), y), QPointF(box.right(), y))
            label = f"1e{value:.0f}" if self._log else f"{value:g}"
            painter.setPen(text)
            painter.drawText(
                QRectF(0, y - 8, LEFT - 6, 16),
                Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter,
                label,
            )
        painter.setPen(text)
        foot = QRectF(box.left(), box.bottom() + 3, box.width(), BOTTOM - 4)
        painter.drawText(foot, Qt.AlignmentFlag.AlignLeft, "1")
        painter.drawText(foot, Qt.AlignmentFlag.AlignHCenter, "step")
        painter.drawText(foot, Qt.AlignmentFlag.AlignRight, str(self._steps))

    def _paint_line(
        self, painter: QPainter, box: QRectF, low: float, high: float, line: Line, *, newest: bool
    ) -> None:
        stride = max(1, len(line.x) // MAX_DRAWN)
        span = max(self._steps - 1, 1)
        points = [
            QPointF(
                box.left() + (x - 1) / span * box.width(),
                box.bottom() - (self._scaled(y) - low) / (high - low) * box.height(),
            )
            for x, y in zip(line.x[::stride], line.y[::stride], strict=True)
            if math.isfinite(y)
        ]
        colour = QColor(self._colour)
        colour.setAlpha(255 if newest else 80)
        painter.setPen(QPen(colour, 2 if newest else 1))
        painter.drawPolyline(QPolygonF(points))
        if newest and points:
            painter.setBrush(colour)
            painter.drawEllipse(points[-1], 3, 3)
