"""One run after another for one dock: state machine, worker, and the timer that reads its newest arrays."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QObject, Signal

from napari_vol2vol.ui.run_state import ACTIVE, POSSIBLE, RunState
from napari_vol2vol.ui.stream_timer import StreamTimer
from napari_vol2vol.ui.worker import (
    Paused,
    Prepared,
    Resumed,
    RunControl,
    RunFailed,
    RunJob,
    RunWorker,
    Translate,
    start_run,
)


class RunController(QObject):
    """Starts, pauses and ends runs. All signals are emitted on the main thread.

    ``event`` carries engine events and those of `ui.worker`, ``progressed`` the newest `Progress`,
    ``snapshot`` the newest arrays, ``points`` new curve points.
    """

    state_changed = Signal(object)
    event = Signal(object)
    progressed = Signal(object)
    snapshot = Signal(object)
    points = Signal(object)

    def __init__(self, translate: Translate, timer: StreamTimer, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.state = RunState.IDLE
        self.failure: RunFailed | None = None
        self.worker: RunWorker | None = None
        self._control: RunControl | None = None
        self._translate = translate
        self._timer = timer
        timer.tick.connect(self.read_newest)

    @property
    def active(self) -> bool:
        """Whether a run is under way."""
        return self.state in ACTIVE

    def possible(self, action: str) -> bool:
        """Whether an action ("run", "pause", "resume", "cancel") makes sense now."""
        return action in POSSIBLE[self.state]

    def start(self, job: RunJob) -> None:
        """Start a run; nothing happens while another one is under way."""
        from napari_vol2vol.engine.events import SnapshotBox

        if self.active:
            return
        self.failure = None
        self._control = RunControl(SnapshotBox())
        self._set_state(RunState.PREPARING)
        self.worker = start_run(job, self._control, self._translate, self._on_event, self._on_finished)
        self._timer.start()

    def pause(self) -> None:
        """Ask to hold still."""
        if self._control is not None and self.possible("pause"):
            self._control.pause()

    def resume(self) -> None:
        """Go on."""
        if self._control is not None:
            self._control.resume()

    def cancel(self) -> None:
        """End the run; what is finished is kept."""
        if self._control is not None and self.active:
            self._control.cancel()

    def abandon(self) -> None:
        """End the run without waiting for it: the dock is going away."""
        self._timer.stop()
        if self.worker is not None:
            self.worker.quit()

    def read_newest(self) -> None:
        """Hand over the newest arrays, progress and points, if there are any since the last call."""
        control = self._control
        if control is None:
            return
        if points := control.curves.take():
            self.points.emit(points)
        if (progress := control.take_progress()) is not None:
            self.progressed.emit(progress)
        if (snapshot := control.box.take()) is not None:
            self.snapshot.emit(snapshot)

    def _set_state(self, state: RunState) -> None:
        if state is not self.state:
            self.state = state
            self.state_changed.emit(state)

    def _on_event(self, event: Any) -> None:
        from napari_vol2vol.engine.events import Done, Started

        if isinstance(event, Started | Resumed):
            self._set_state(RunState.RUNNING)
        elif isinstance(event, Paused):
            self.read_newest()
            self._set_state(RunState.PAUSED)
        elif isinstance(event, Done | RunFailed):
            self._timer.stop()
            self.read_newest()
        if isinstance(event, RunFailed):
            self.failure = event
        self.event.emit(event)
        if isinstance(event, Done):
            self._set_state(RunState.CANCELLED if event.cancelled else RunState.DONE)
        elif isinstance(event, RunFailed):
            self._set_state(RunState.FAILED)

    def _on_finished(self) -> None:
        """Free the worker; a stream that ended without `Done` or `RunFailed` was cut off."""
        self._timer.stop()
        self.worker = None
        self._control = None
        if self.active:
            self._set_state(RunState.CANCELLED)


__all__ = ["Prepared", "RunController"]
