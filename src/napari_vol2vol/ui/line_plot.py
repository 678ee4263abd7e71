"""A plot of a few lines on linear axes, painted with Qt alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF
from qtpy.QtWidgets import QWidget

from napari_vol2vol.ui.orientation_letters import font
from napari_vol2vol.ui.small_plot import ticks

LEFT, RIGHT, TOP, BOTTOM = 46, 12, 24, 36


@dataclass(frozen=True)
class PlotLine:
    """Points ``x``, ``y`` with a name for the legend; ``dots`` marks each point, ``dashed`` is for ideals."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    colour: str = "#4cc9f0"
    dots: bool = False
    dashed: bool = False


class LinePlot(QWidget):
    """Lines over fixed or found limits."""

    def __init__(self, title: str, across: str) -> None:
        super().__init__()
        self._title, self._across = title, across
        self._lines: tuple[PlotLine, ...] = ()
        self.setMinimumHeight(150)

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return a size that shows the ticks well."""
        return QSize(280, 190)

    def set_lines(self, lines: Sequence[PlotLine]) -> None:
        """Show these lines."""
        self._lines = tuple(lines)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Paint title, axes, lines and legend."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), QColor("#0d0f12"))
        painter.setFont(font(9))
        painter.setPen(QColor("#b8bdc6"))
        painter.drawText(QRectF(8, 2, self.width() - 16, 20), Qt.AlignmentFlag.AlignVCenter, self._title)
        points = [
            (x, y) for line in self._lines for x, y in zip(line.x, line.y, strict=True) if math.isfinite(y)
        ]
        if points:
            self._paint(painter, points)
        painter.end()

    def _paint(self, painter: QPainter, points: list[tuple[float, float]]) -> None:
        box = QRectF(self.rect()).adjusted(LEFT, TOP, -RIGHT, -BOTTOM)
        (left, right), (low, high) = (
            (min(v), max(v)) for v in zip(*points, strict=True)
        )  # fmt: skip
        right, high = max(right, left + 1e-9), max(high, low + 1e-9)

        def place(x: float, y: float) -> QPointF:
            return QPointF(
                box.left() + (x - left) / (right - left) * box.width(),
                box.bottom() - (y - low) / (high - low) * box.height(),
            )

        painter.setFont(font(8))
        for value in ticks(low, high, log=False):
            y = place(left, value).y()
            painter.setPen(QPen(QColor("#2a2f37"), 1))
            painter.drawLine(QPointF(box.left(), y), QPointF(box.right(), y))
            painter.setPen(QColor("#8a919c"))
            align = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            painter.drawText(QRectF(0, y - 8, LEFT - 6, 16), align, f"{value:g}")
        foot = QRectF(box.left(), box.bottom() + 2, box.width(), 16)
        for value, align in ((left, Qt.AlignmentFlag.AlignLeft), (right, Qt.AlignmentFlag.AlignRight)):
            painter.drawText(foot, align, f"{value:g}")
        painter.drawText(foot, Qt.AlignmentFlag.AlignHCenter, self._across)
        self._paint_lines(painter, place)
        self._paint_legend(painter)

    def _paint_lines(self, painter: QPainter, place: object) -> None:
        for line in self._lines:
            there = [
                place(x, y)  # type: ignore[operator]
                for x, y in zip(line.x, line.y, strict=True)
                if math.isfinite(y)
            ]
            pen = QPen(QColor(line.colour), 1.6)
            if line.dashed:
                pen.setStyle(Qt.PenStyle.DashLine)
            painter.setPen(pen)
            painter.drawPolyline(QPolygonF(there))
            if line.dots:
                painter.setBrush(QColor(line.colour))
                for point in there:
                    painter.drawEllipse(point, 3, 3)
                painter.setBrush(Qt.BrushStyle.NoBrush)

    def _paint_legend(self, painter: QPainter) -> None:
        x = float(LEFT)
        for line in self._lines:
            painter.setPen(QColor(line.colour))
            width = painter.fontMetrics().horizontalAdvance(line.name) + 14
            painter.drawText(QRectF(x, self.height() - 18, width, 16), Qt.AlignmentFlag.AlignLeft, line.name)
            x += width
