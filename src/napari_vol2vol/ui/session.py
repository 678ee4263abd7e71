"""What the widgets of one viewer share: its runs, and the curves and status line of the newest one."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary, WeakValueDictionary

from psygnal import Signal

from napari_vol2vol.ui.curves import Curves

if TYPE_CHECKING:
    from napari.components import LayerList, ViewerModel
    from qtpy.QtWidgets import QWidget

    from napari_vol2vol.ui.runs_list import RunEntry


class Session:
    """State of one viewer that outlives any of its docks (main thread only)."""

    status_changed = Signal(str)
    runs_changed = Signal()

    def __init__(self) -> None:
        self.runs: list[RunEntry] = []
        self.curves = Curves()
        #: The newest widget of each dock that others fill in or drive, by its name in the menu.
        self.docks: WeakValueDictionary[str, QWidget] = WeakValueDictionary()
        self._status = ""

    @property
    def status(self) -> str:
        """One line: what the run is doing, empty when idle."""
        return self._status

    @status.setter
    def status(self, text: str) -> None:
        if text != self._status:
            self._status = text
            self.status_changed.emit(text)


_sessions: WeakKeyDictionary[LayerList, Session] = WeakKeyDictionary()


def session_of(viewer: ViewerModel) -> Session:
    """Return the session of a viewer, made at the first call."""
    layers = viewer.layers
    layers = getattr(layers, "__wrapped__", layers)
    return _sessions.setdefault(layers, Session())
