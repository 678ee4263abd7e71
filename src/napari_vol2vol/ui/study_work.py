"""Long work of the study docks in a worker thread: one at a time, errors as sentences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from qtpy.QtCore import QObject, Qt, Signal
from qtpy.QtWidgets import QWidget
from superqt.utils import create_worker

from napari_vol2vol.errors import Vol2VolError
from napari_vol2vol.ui.window_layout import dock_of, main_window_of

Say = Callable[[str], None]


@dataclass(frozen=True)
class Failure:
    """Why there is no result."""

    words: str


def attempt(call: Callable[[], Any]) -> Any:
    """Return what a call returns, or why it failed; unknown errors with their type."""
    try:
        return call()
    except Vol2VolError as error:
        return Failure(str(error))
    except Exception as error:  # noqa: BLE001 (superqt would swallow some and raise others into Qt)
        return Failure(f"{type(error).__name__}: {error}")


class Work(QObject):
    """``said`` tells what goes on, ``busy`` whether something does; both on the main thread."""

    said = Signal(str)
    busy = Signal(bool)

    def __init__(self) -> None:
        super().__init__()
        self.running = self.closed = False

    def start(self, words: str, work: Callable[[Say], Any], done: Callable[[Any], None]) -> None:
        """Run ``work(say)`` in a thread, then ``done`` with its result on the main thread.

        Nothing happens while other work runs. A failure is said; ``done`` is not called then.
        """
        if self.running:
            return
        self.running = True
        self.busy.emit(True)
        self.said.emit(words)
        worker = create_worker(attempt, partial(work, self.said.emit), _ignore_errors=True)
        worker.returned.connect(partial(self._finish, done))
        worker.start()

    def close(self) -> None:
        """Forget what is still running."""
        self.closed = True

    def make_room(self, widget: QWidget, width: int) -> None:
        """Give the dock of a widget its width; tables need more than the other docks."""
        window, dock = main_window_of(widget), dock_of(widget)
        if window is not None and dock is not None and not self.closed:
            window.resizeDocks([dock], [width], Qt.Orientation.Horizontal)

    def _finish(self, done: Callable[[Any], None], result: Any) -> None:
        if self.closed:
            return
        self.running = False
        self.said.emit("")
        self.busy.emit(False)
        if isinstance(result, Failure):
            self.said.emit(result.words)
        else:
            done(result)
