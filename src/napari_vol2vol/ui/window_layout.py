"""Placing the docks with Qt's public API: three views in the middle, the *Translate* dock beside them."""

from __future__ import annotations

from qtpy.compat import isalive
from qtpy.QtCore import QEvent, QObject, Qt, QTimer
from qtpy.QtWidgets import QDockWidget, QMainWindow, QWidget

SIDE_WIDTH = 350
LAYERS_WIDTH = 250
#: Qt lays a new dock out over several turns of its event loop.
SETTLE_MS = 50
ROLE = "vol2volRole"


def dock_of(widget: QWidget) -> QDockWidget | None:
    """Return the dock a widget sits in, None while it has none."""
    parent = widget.parent()
    while parent is not None and not isinstance(parent, QDockWidget):
        parent = parent.parent()
    return parent


def main_window_of(widget: QWidget) -> QMainWindow | None:
    """Return the main window a docked widget belongs to, also while its dock floats."""
    dock = dock_of(widget)
    parent = dock.parent() if dock is not None else None
    return parent if isinstance(parent, QMainWindow) else None


def set_main_canvas_visible(window: QMainWindow | None, visible: bool) -> None:
    """Show or hide napari's own canvas, so that the docks can have its room."""
    if window is not None and isalive(window) and window.centralWidget() is not None:
        window.centralWidget().setVisible(visible)


def set_role(widget: QWidget, role: str) -> None:
    """Say what a docked widget is for: ``"middle"`` takes the room, ``"side"`` stands to its right."""
    widget.setProperty(ROLE, role)


def arrange(window: QMainWindow) -> None:
    """Put the docks in order: layers narrow on the left, the middle large, the side to its right.

    Docks that the user moved to another area or lets float stay where they are.
    """
    docks = [d for d in window.findChildren(QDockWidget) if d.isVisible() and not d.isFloating()]
    roles = {
        d.widget().property(ROLE): d for d in docks if d.widget() is not None and d.widget().property(ROLE)
    }
    middle, side = roles.get("middle"), roles.get("side")
    if middle is None:
        if side is not None:
            window.resizeDocks([side], [SIDE_WIDTH], Qt.Orientation.Horizontal)
        return
    area = window.dockWidgetArea(middle)
    left = [
        d
        for d in docks
        if window.dockWidgetArea(d) == Qt.DockWidgetArea.LeftDockWidgetArea and d is not middle
    ]
    row, widths = left[:1], [LAYERS_WIDTH] * len(left[:1])
    if side is not None and window.dockWidgetArea(side) == area:
        window.splitDockWidget(middle, side, Qt.Orientation.Horizontal)
        row, widths = [*row, side], [*widths, SIDE_WIDTH]
    row, widths = [*row, middle], [*widths, max(window.width() - sum(widths), 300)]
    for _ in range(2):  # Qt gives a row of several areas its widths only approximately
        window.resizeDocks(row, widths, Qt.Orientation.Horizontal)


class DockWatch(QObject):
    """Tells a docked widget when it has been docked and when its dock was closed.

    napari closes a dock by taking the widget out of it and leaving it alive without a parent; nothing else
    tells the widget that it is not wanted any more. ``docked`` and ``undocked`` are plain callables.
    """

    def __init__(self, widget: QWidget, docked: object, undocked: object) -> None:
        super().__init__(widget)
        self._widget, self._docked, self._undocked = widget, docked, undocked
        self._was_docked = False
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        """Watch for a change of parent and for the first time the docked widget is shown (main thread)."""
        if event.type() == QEvent.Type.ParentChange and self._was_docked and dock_of(self._widget) is None:
            self._was_docked = False
            self._undocked()
        elif event.type() == QEvent.Type.Show and not self._was_docked and dock_of(self._widget) is not None:
            self._was_docked = True
            QTimer.singleShot(SETTLE_MS, self._docked)
        return False
