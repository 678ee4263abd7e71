"""What keys do to the views."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt

if TYPE_CHECKING:
    from napari_vol2vol.ui.reading.window import ReadingWindow

SLICES = {
    Qt.Key.Key_Up: 1, Qt.Key.Key_Down: -1, Qt.Key.Key_PageUp: 10, Qt.Key.Key_PageDown: -10,
    Qt.Key.Key_Home: 10**6, Qt.Key.Key_End: -(10**6),
}  # fmt: skip
VIEWS = {
    Qt.Key.Key_Tab: 1, Qt.Key.Key_Right: 1, Qt.Key.Key_Backtab: -1, Qt.Key.Key_Left: -1,
}  # fmt: skip
#: Right and down, in pixels of a drag.
WINDOW = {
    Qt.Key.Key_Right: (15, 0), Qt.Key.Key_Left: (-15, 0), Qt.Key.Key_Up: (0, -15), Qt.Key.Key_Down: (0, 15),
}  # fmt: skip
ZOOM = {Qt.Key.Key_Plus: 1.15, Qt.Key.Key_Equal: 1.15, Qt.Key.Key_Minus: 1 / 1.15}


def navigate(window: ReadingWindow, key: int, shift: bool, once: bool) -> None:
    """Do what a key does on the reading screen; keys that are held down only scroll, zoom and window."""
    views = window.trial.views
    if once and key == Qt.Key.Key_Escape:
        window.close()
    elif once and key == Qt.Key.Key_P:
        window.pause()
    elif views is None:
        return
    elif shift and key in WINDOW:
        views.nudge_window(*WINDOW[key])
    elif key in SLICES:
        views.scroll(None, SLICES[key])
    elif key in ZOOM:
        views.zoom(ZOOM[key])
    elif once and key in VIEWS:
        views.step(VIEWS[key])
    elif once:
        _single(window, key)


def _single(window: ReadingWindow, key: int) -> None:
    views = window.trial.views
    assert views is not None
    if key == Qt.Key.Key_M:
        views.enlarge()
    elif key == Qt.Key.Key_R:
        views.reset()
    elif key == Qt.Key.Key_W:
        window.trial.bar.next_preset()
    elif key == Qt.Key.Key_X:
        window.trial.toggle_mark()
