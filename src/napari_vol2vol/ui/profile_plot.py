"""A profile along an axis, the volume's over the reference's as a band; a click names the slice."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from qtpy.QtWidgets import QWidget

from napari_vol2vol.ui.orientation_letters import font
from napari_vol2vol.ui.small_plot import ticks

LEFT, RIGHT, TOP, BOTTOM = 52, 12, 24, 20
#: Half the width of the reference's band: its own robust spread around a running median of so many slices.
NEIGHBOURS = 9
VOLUME, BAND, FLAG = QColor("#4cc9f0"), QColor(184, 189, 198, 80), QColor("#ff7b72")
Values = NDArray[np.float32]


def band_of(values: Values) -> tuple[Values, Values]:
    """Return a band around a profile: running median, less and more two robust deviations from it."""
    padded = np.pad(values.astype(np.float64), NEIGHBOURS // 2, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, NEIGHBOURS)
    known = np.where(np.isfinite(windows), windows, np.nan)
    with np.errstate(all="ignore"):
        middle = np.array([np.nanmedian(w) if np.isfinite(w).any() else np.nan for w in known])
    rest = np.abs(values - middle)
    spread = 1.4826 * float(np.nanmedian(rest)) if np.isfinite(rest).any() else 0.0
    return (middle - 2 * spread).astype(np.float32), (middle + 2 * spread).astype(np.float32)


class ProfilePlot(QWidget):
    """``slice_chosen`` carries the slice under a click."""

    slice_chosen = Signal(int)

    def __init__(self, title: str) -> None:
        super().__init__()
        self._title = title
        self._ours = self._theirs = np.zeros(0, np.float32)
        self._low = self._high = self._ours
        self._flags: tuple[int, ...] = ()
        self._spacing = 1.0
        self.marked: int | None = None
        self.setMinimumHeight(84)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return a size that shows the ticks well."""
        return QSize(280, 120)

    def set_profiles(
        self, ours: Values, theirs: Values, spacing_mm: float, flags: Sequence[int] = ()
    ) -> None:
        """Show a profile over the band of the reference's; ``flags`` are marked slices."""
        self._ours, self._theirs, self._spacing = ours, theirs, spacing_mm
        self._low, self._high = band_of(theirs)
        self._flags = tuple(flags)
        self.update()

    def mark(self, index: int | None) -> None:
        """Draw a line at the slice that the views show."""
        if index != self.marked:
            self.marked = index
            self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Tell which slice was clicked."""
        if len(self._ours) > 1 and event.button() == Qt.MouseButton.LeftButton:
            box = self._box()
            share = (event.position().x() - box.left()) / max(box.width(), 1)
            self.slice_chosen.emit(int(np.clip(round(share * (len(self._ours) - 1)), 0, len(self._ours) - 1)))

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Paint the band, the profile, the flags and the line of the current slice."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), QColor("#0d0f12"))
        painter.setFont(font(9))
        painter.setPen(QColor("#b8bdc6"))
        painter.drawText(QRectF(8, 2, self.width() - 16, 20), Qt.AlignmentFlag.AlignVCenter, self._title)
        known = [v[np.isfinite(v)] for v in (self._ours, self._low, self._high)]
        everything = np.concatenate(known) if known else np.zeros(0)
        if len(everything) == 0:
            painter.end()
            return
        low, high = float(everything.min()), float(everything.max())
        pad = max((high - low) * 0.06, abs(high) * 1e-4, 1e-6)
        self._paint_axes(painter, low - pad, high + pad)
        self._paint_lines(painter, low - pad, high + pad)
        painter.end()

    def _box(self) -> QRectF:
        return QRectF(self.rect()).adjusted(LEFT, TOP, -RIGHT, -BOTTOM)

    def _point(self, index: float, value: float, low: float, high: float) -> QPointF:
        box = self._box()
        x = box.left() + index / max(len(self._ours) - 1, 1) * box.width()
        return QPointF(x, box.bottom() - (value - low) / (high - low) * box.height())

    def _paint_axes(self, painter: QPainter, low: float, high: float) -> None:
        box = self._box()
        painter.setFont(font(8))
        for value in ticks(low, high, log=False):
            y = self._point(0, value, low, high).y()
            painter.setPen(QPen(QColor("#2a2f37"), 1))
            painter.drawLine(QPointF(box.left(), y), QPointF(box.right(), y))
            painter.setPen(QColor("#8a919c"))
            align = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            painter.drawText(QRectF(0, y - 8, LEFT - 6, 16), align, f"{value:g}")
        foot = QRectF(box.left(), box.bottom() + 3, box.width(), BOTTOM - 4)
        painter.drawText(foot, Qt.AlignmentFlag.AlignLeft, "0 mm")
        painter.drawText(foot, Qt.AlignmentFlag.AlignRight, f"{(len(self._ours) - 1) * self._spacing:.0f} mm")

    def _paint_lines(self, painter: QPainter, low: float, high: float) -> None:
        def points(values: Values) -> list[QPointF]:
            return [self._point(i, float(v), low, high) for i, v in enumerate(values) if math.isfinite(v)]

        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(BAND)
        painter.drawPolygon(QPolygonF([*points(self._high), *reversed(points(self._low))]))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(VOLUME, 1.6))
        painter.drawPolyline(QPolygonF(points(self._ours)))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(FLAG)
        for index in self._flags:
            if index < len(self._ours) and math.isfinite(self._ours[index]):
                painter.drawEllipse(self._point(index, float(self._ours[index]), low, high), 4, 4)
        if self.marked is not None:
            painter.setPen(QPen(QColor(255, 209, 102, 170), 1))
            x = self._point(self.marked, low, low, high).x()
            painter.drawLine(QPointF(x, self._box().top()), QPointF(x, self._box().bottom()))
