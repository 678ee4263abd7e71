"""A run in a napari worker: pause and cancel without races, few small events, nothing left behind.

What superqt 0.9 does not do is done here: a RuntimeError becomes a `RunFailed` event (superqt would swallow
it and the dock would hang), quitting closes the generator (superqt leaves it and its arrays alive), pausing
and resuming at once works, and a Python warning is reported once, however often it is raised.
"""

from __future__ import annotations

import functools
import threading
import traceback
import warnings
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from napari.qt.threading import GeneratorWorker, create_worker

from napari_vol2vol.errors import RunError, Vol2VolError
from napari_vol2vol.ui.curves import CurveBuffer

if TYPE_CHECKING:
    from napari_vol2vol.engine.events import Progress, SnapshotBox
    from napari_vol2vol.volume import Volume

POLL_SECONDS = 0.01
Translate = Callable[..., Iterable[Any]]


@dataclass(frozen=True)
class Prepared:
    """The input as the run takes it: ``source`` is new where the volume was degraded for a simulation.

    ``pictures`` show the measurement itself, a sinogram or k-space, by what they are; ``remarks`` say what
    was done to the inputs.
    """

    source: Volume
    reference: Volume | None
    pictures: Mapping[str, Volume] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Paused:
    """The worker holds still; nothing is pulled from the engine."""


@dataclass(frozen=True)
class Resumed:
    """The worker goes on."""


@dataclass(frozen=True)
class RunFailed:
    """The run ended with an error: one sentence for the user, and a traceback for who wants to report it."""

    message: str
    details: str


class Inputs(NamedTuple):
    """The volumes of a run."""

    source: Volume
    reference: Volume | None = None
    conditions: Mapping[str, Volume] | None = None
    pictures: Mapping[str, Volume] | None = None
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunJob:
    """What a run works on. ``prepare`` returns the fields of `Inputs` and runs on the worker thread."""

    title: str
    request: Any
    prepare: Callable[[], tuple[Any, ...]]
    folder: Path | None = None


class RunControl:
    """The strings between dock and worker. Every method is safe from any thread."""

    def __init__(self, box: SnapshotBox) -> None:
        self.box = box
        self.curves = CurveBuffer()
        self.cancelled = threading.Event()
        self.abandoned = threading.Event()
        self._go = threading.Event()
        self._go.set()
        self._progress: Progress | None = None

    def pause(self) -> None:
        """Ask to hold still before the next event."""
        self._go.clear()

    def resume(self) -> None:
        """Ask to go on."""
        self._go.set()

    def cancel(self) -> None:
        """Ask the engine to end; what is finished still comes with its `Done`."""
        self.cancelled.set()
        self._go.set()

    def abandon(self) -> None:
        """End without waiting for anything: the viewer is closing."""
        self.abandoned.set()
        self.cancel()

    def paused(self) -> bool:
        """Whether the worker should hold still now."""
        return not self._go.is_set()

    def wait(self) -> None:
        """Wait until `resume`, `cancel` or `abandon` (worker thread)."""
        while not self._go.wait(POLL_SECONDS):
            pass

    def keep_progress(self, progress: Progress) -> None:
        """Keep the newest progress and its curve points (worker thread)."""
        self._progress = progress
        if getattr(progress, "what", ""):  # the twin's residual would draw over that of the run itself
            return
        for name in ("residual", "psnr"):
            value = getattr(progress, name)
            if value is not None:
                self.curves.put(name, progress.sample, progress.step, value)

    def take_progress(self) -> Progress | None:
        """Return the newest progress since the last call."""
        progress, self._progress = self._progress, None
        return progress


def run_events(job: RunJob, control: RunControl, translate: Translate) -> Generator[Any, None, None]:
    """Yield what the dock has to know (worker thread): engine events without `Progress`, plus those above.

    Never raises: whatever goes wrong ends the stream with `RunFailed`.
    """
    stream: Any = None
    try:
        inputs = Inputs(*job.prepare())
        yield Prepared(inputs.source, inputs.reference, inputs.pictures or {}, inputs.remarks)
        options: dict[str, Any] = {
            "reference": inputs.reference,
            "box": control.box,
            "cancel": control.cancelled,
            "folder": job.folder,
        }
        if inputs.conditions:
            options["conditions"] = inputs.conditions
        stream = translate(job.request, inputs.source, **options)
        yield from _gated(stream, control)
    except RuntimeError as error:
        yield failure(RunError(f"{type(error).__name__}: {error}"), error)
    except Exception as error:  # noqa: BLE001 (every error is shown in the dock, with its traceback)
        yield failure(error, error)
    finally:
        if hasattr(stream, "close"):
            stream.close()


def _gated(stream: Iterable[Any], control: RunControl) -> Generator[Any, None, None]:
    from napari_vol2vol.engine.events import Notice, Progress

    said: set[str] = set()
    for event in stream:
        if isinstance(event, Progress):
            control.keep_progress(event)
        elif not (isinstance(event, Notice) and event.message in said):
            yield event
        if isinstance(event, Notice):
            said.add(event.message)
        if control.paused():
            yield Paused()
            control.wait()
            yield Resumed()
        if control.abandoned.is_set():
            return


def failure(error: Exception, cause: Exception) -> RunFailed:
    """Return what to show for an error: its own sentence if it is ours, else its type as well."""
    known = isinstance(error, Vol2VolError)
    message = str(error) if known else f"{type(error).__name__}: {error}"
    return RunFailed(message, "".join(traceback.format_exception(cause)))


class RunWorker(GeneratorWorker):
    """A generator worker that always closes its generator and says each warning once."""

    def __init__(self, func: Any, control: RunControl, events: list[Any], **keywords: Any) -> None:
        super().__init__(func, events, **keywords)
        self.control = control
        self._events_of_run = events

    def quit(self) -> None:
        """End as soon as possible (any thread); napari calls this when its window closes."""
        self.control.abandon()
        super().quit()

    def work(self) -> Any:
        """Pull the events (worker thread), then free the generator and everything it holds."""
        warnings.showwarning = _once(warnings.showwarning)
        try:
            return super().work()
        finally:
            while self._events_of_run:
                self._events_of_run.pop().close()
            self.control.box.take()


def _once(show: Callable[..., None]) -> Callable[..., None]:
    seen: set[tuple[str, str]] = set()

    def showwarning(message: Any, category: type[Warning], *rest: Any, **keywords: Any) -> None:
        key = (category.__name__, str(message))
        if key not in seen:
            seen.add(key)
            show(message, category, *rest, **keywords)

    return showwarning


def _drive(events: list[Any]) -> Generator[Any, None, None]:
    """Yield from the one generator in the list: napari keeps this frame for ever, so it must hold nothing."""
    yield from events[0]


class _NamedRun(functools.partial):
    """napari asks ``Executing <function>?`` when its window is closed; this is what it prints there."""

    title = ""

    def __repr__(self) -> str:
        return f"{self.title}. Finished samples are kept; the one in flight is lost"


def start_run(
    job: RunJob, control: RunControl, translate: Translate, on_event: Callable[[Any], None],
    on_finished: Callable[[], None],
) -> RunWorker:  # fmt: skip
    """Start a run (main thread); ``on_event`` and ``on_finished`` are called on the main thread.

    ``on_finished`` comes last and always, however the run ended. The worker is registered with napari, which
    asks the user once before it closes a window with a run in it.
    """
    named = _NamedRun(_drive)
    named.title = job.title
    worker: RunWorker = create_worker(
        named,
        control,
        [run_events(job, control, translate)],
        _worker_class=RunWorker,
        _start_thread=False,
        _ignore_errors=True,
    )
    worker.yielded.connect(on_event)
    worker.finished.connect(on_finished)
    worker.start()
    return worker
