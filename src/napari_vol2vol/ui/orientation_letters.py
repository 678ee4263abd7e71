"""What is painted over a slice: anatomical letters at the edges, captions in the corners, the crosshair."""

from __future__ import annotations

from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QFont, QPainter, QPainterPath, QPen

LETTER = QColor("#ffd166")
CAPTION = QColor("#e8e8e8")
LINE = QColor(255, 209, 102, 170)
HALO = QColor(0, 0, 0, 210)
MARGIN = 7.0


def font(points: float, *, bold: bool = False) -> QFont:
    """Return the application's font at a size in points."""
    face = QFont()
    face.setPointSizeF(points)
    face.setBold(bold)
    return face


def draw_text(painter: QPainter, box: QRectF, align: Qt.AlignmentFlag, text: str, colour: QColor) -> None:
    """Draw text with a dark halo, so that it reads on bright and on dark tissue alike."""
    size = QRectF(0, 0, painter.fontMetrics().horizontalAdvance(text), painter.fontMetrics().capHeight())
    x = {Qt.AlignmentFlag.AlignLeft: box.left(), Qt.AlignmentFlag.AlignRight: box.right() - size.width()}.get(
        align & Qt.AlignmentFlag.AlignHorizontal_Mask, box.center().x() - size.width() / 2
    )
    y = {
        Qt.AlignmentFlag.AlignTop: box.top() + size.height(),
        Qt.AlignmentFlag.AlignBottom: box.bottom(),
    }.get(align & Qt.AlignmentFlag.AlignVertical_Mask, box.center().y() + size.height() / 2)
    path = QPainterPath()
    path.addText(QPointF(x, y), painter.font(), text)
    painter.setPen(QPen(HALO, 3, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawPath(path)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)
    painter.drawPath(path)


def draw_letters(painter: QPainter, area: QRectF, letters: dict[str, str]) -> None:
    """Draw the four anatomical letters at the middle of the edges of ``area``."""
    painter.setFont(font(13, bold=True))
    box = area.adjusted(MARGIN, MARGIN, -MARGIN, -MARGIN)
    middle, flag = Qt.AlignmentFlag.AlignVCenter, Qt.AlignmentFlag
    draw_text(painter, box, flag.AlignLeft | middle, letters["left"], LETTER)
    draw_text(painter, box, flag.AlignRight | middle, letters["right"], LETTER)
    draw_text(painter, box, flag.AlignHCenter | flag.AlignTop, letters["top"], LETTER)
    draw_text(painter, box, flag.AlignHCenter | flag.AlignBottom, letters["bottom"], LETTER)


def draw_captions(painter: QPainter, area: QRectF, captions: dict[str, str]) -> None:
    """Draw small text in the corners; ``captions`` maps ``top-left`` .. ``bottom-right`` to text."""
    box = area.adjusted(MARGIN + 1, MARGIN, -MARGIN - 1, -MARGIN)
    flag = Qt.AlignmentFlag
    corners = {
        "top-left": flag.AlignLeft | flag.AlignTop,
        "top-right": flag.AlignRight | flag.AlignTop,
        "bottom-left": flag.AlignLeft | flag.AlignBottom,
        "bottom-right": flag.AlignRight | flag.AlignBottom,
    }
    painter.setFont(font(9.5))
    for corner, text in captions.items():
        if text:
            draw_text(painter, box, corners[corner], text, CAPTION)


def draw_crosshair(painter: QPainter, area: QRectF, point: QPointF, gap: float = 9.0) -> None:
    """Draw two lines through ``point`` that leave the point itself free."""
    painter.setPen(QPen(LINE, 1))
    x, y = round(point.x()) + 0.5, round(point.y()) + 0.5
    if area.left() <= x <= area.right():
        painter.drawLine(QPointF(x, area.top()), QPointF(x, min(y - gap, area.bottom())))
        painter.drawLine(QPointF(x, max(y + gap, area.top())), QPointF(x, area.bottom()))
    if area.top() <= y <= area.bottom():
        painter.drawLine(QPointF(area.left(), y), QPointF(min(x - gap, area.right()), y))
        painter.drawLine(QPointF(max(x + gap, area.left()), y), QPointF(area.right(), y))
