"""A timer that lets the views follow a run without taking the main thread from the user."""

from __future__ import annotations

import time
from collections.abc import Callable

from qtpy.QtCore import QObject, QTimer, Signal

#: Taking a snapshot and painting it may use at most one part in so many of the main thread.
SHARE = 3
MAX_INTERVAL_MS = 3000
#: 3D rendering without a fast GPU takes 0.3 to 1.6 s a frame.
MIN_INTERVAL_3D_MS = 500


class StreamTimer(QObject):
    """Emits ``tick`` at ``hz``, more slowly where handling a tick and painting what it changed takes long.

    ``in_3d`` is asked at every tick whether the main viewer renders in 3D. Main thread only.
    """

    tick = Signal()

    def __init__(self, hz: float, in_3d: Callable[[], bool], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._base_ms = max(1000.0 / hz, 20.0)
        self._in_3d = in_3d
        self._timer = QTimer(self, singleShot=True)
        self._timer.timeout.connect(self._on_timeout)
        self._began = 0.0
        self._running = False
        self.cost_ms = 0.0

    @property
    def interval_ms(self) -> float:
        """Time between the end of one tick and the next, as it stands."""
        base = max(self._base_ms, MIN_INTERVAL_3D_MS) if self._in_3d() else self._base_ms
        return min(max(base, (SHARE - 1) * self.cost_ms), MAX_INTERVAL_MS)

    def start(self) -> None:
        """Begin to tick."""
        self._running = True
        self._timer.start(round(self.interval_ms))

    def stop(self) -> None:
        """Stop ticking."""
        self._running = False
        self._timer.stop()

    def _on_timeout(self) -> None:
        self._began = time.perf_counter()
        self.tick.emit()
        QTimer.singleShot(0, self._painted)

    def _painted(self) -> None:
        """Measure how long the tick and the painting that it caused took, and plan the next one."""
        took = 1000 * (time.perf_counter() - self._began)
        self.cost_ms = took if self.cost_ms == 0 else 0.7 * self.cost_ms + 0.3 * took
        if self._running:
            self._timer.start(round(self.interval_ms))
