from __future__ import annotations

import gc
import threading
import time
import warnings
import weakref

import numpy as np
import pytest

from napari_vol2vol.engine.events import Done, SnapshotBox
from napari_vol2vol.engine.request import Translation
from napari_vol2vol.ui.curves import MAX_POINTS, CurveBuffer
from napari_vol2vol.ui.worker import (
    Paused,
    Prepared,
    Resumed,
    RunControl,
    RunFailed,
    RunJob,
    run_events,
    start_run,
)
from napari_vol2vol.volume import Volume


def job(**fields) -> RunJob:
    volume = Volume.from_array(np.zeros((12, 14, 13), np.float32), (2, 2, 2), name="T1 low")
    return RunJob("translation T1 low", Translation(**fields), lambda: (volume, None))


class Heard:
    """What a started run told, and whether it is over."""

    def __init__(self, job: RunJob, translate) -> None:
        self.control = RunControl(SnapshotBox())
        self.events: list = []
        self.over = threading.Event()
        self.worker = start_run(job, self.control, translate, self.events.append, self.over.set)

    def kinds(self) -> list[type]:
        return [type(event) for event in self.events]


@pytest.fixture
def started(qtbot):
    runs = []

    def start(translate, **fields) -> Heard:
        runs.append(Heard(job(**fields), translate))
        return runs[-1]

    yield start
    for run in runs:
        run.control.abandon()
        qtbot.waitUntil(run.over.is_set, timeout=5000)


def test_events_come_in_order_without_an_event_loop(streams):
    control = RunControl(SnapshotBox())
    events = list(run_events(job(steps=3, samples=2), control, streams()))
    assert [type(e).__name__ for e in events] == [
        "Prepared",
        "Preparing",
        "Started",
        "SampleDone",
        "SampleDone",
        "Done",
    ]
    assert control.take_progress().fraction == 1
    assert len(control.curves.take()) == 2 * 3 * 2


def test_a_runtime_error_becomes_a_failure_with_text(started, streams, qtbot):
    """superqt 0.9 swallows RuntimeErrors (out-of-memory is one): neither errored nor finished came."""
    run = started(streams(fail=RuntimeError("CUDA error: out of memory")), steps=4)
    qtbot.waitUntil(run.over.is_set, timeout=5000)
    failed = run.events[-1]
    assert isinstance(failed, RunFailed)
    assert "CUDA error: out of memory" in failed.message
    assert "Traceback" in failed.details
    assert not run.worker.is_running


def test_errors_before_the_stream_are_failures_too(started, qtbot):
    def translate(*args, **keywords):
        raise ValueError("no such thing")

    run = started(translate)
    qtbot.waitUntil(run.over.is_set, timeout=5000)
    assert run.events[-1].message == "ValueError: no such thing"


def test_ten_thousand_fast_steps_do_not_queue_arrays(started, streams, qtbot):
    run = started(streams(pause=0.0), steps=1000, samples=10)
    qtbot.waitUntil(run.over.is_set, timeout=30000)
    assert len(run.events) < 20
    assert run.control.box.take() is None
    assert len(run.control.curves.take()) <= MAX_POINTS


def test_the_curve_buffer_is_capped():
    buffer = CurveBuffer()
    for step in range(3 * MAX_POINTS):
        buffer.put("residual", 1, step, 0.0)
    points = buffer.take()
    assert len(points) <= MAX_POINTS
    assert points[-1][2] == 3 * MAX_POINTS - 1


def test_a_repeated_warning_is_told_once(streams, qtbot):
    heard = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run = Heard(job(steps=30), streams(warn=True))
        run.worker.warned.connect(lambda told: heard.append(str(told[0])))
        qtbot.waitUntil(run.over.is_set, timeout=5000)
        qtbot.wait(20)
    assert isinstance(run.events[-1], Done)
    assert heard.count("the same again") <= 1


def test_pausing_and_resuming_at_once_does_not_get_stuck(started, streams, qtbot):
    """superqt's own pause(); resume() leaves a worker paused for good."""
    run = started(streams(), steps=40)
    for _ in range(50):
        run.control.pause()
        run.control.resume()
    qtbot.waitUntil(run.over.is_set, timeout=5000)
    assert isinstance(run.events[-1], Done)


def test_pause_holds_still_until_resumed(started, streams, qtbot):
    run = started(streams(), steps=200)
    qtbot.waitUntil(lambda: run.control.take_progress() is not None)
    run.control.pause()
    qtbot.waitUntil(lambda: Paused in run.kinds())
    run.control.take_progress()
    qtbot.wait(60)
    assert run.control.take_progress() is None
    run.control.resume()
    qtbot.waitUntil(lambda: Resumed in run.kinds())
    qtbot.waitUntil(run.over.is_set, timeout=5000)


def test_cancel_while_paused_keeps_what_is_finished(started, streams, qtbot):
    run = started(streams(), steps=20, samples=50)
    qtbot.waitUntil(lambda: any(type(e).__name__ == "SampleDone" for e in run.events), timeout=5000)
    run.control.pause()
    qtbot.waitUntil(lambda: Paused in run.kinds())
    run.control.cancel()
    qtbot.waitUntil(run.over.is_set, timeout=5000)
    assert run.events[-1].cancelled
    assert "mean" in run.events[-1].volumes


def test_quitting_closes_and_frees_the_generator(started, streams, qtbot):
    """superqt keeps the generator of a worker that was quit, with all its locals, as long as the viewer."""
    translate = streams()
    kept = []

    def watched(*args, **keywords):
        stream = translate(*args, **keywords)
        kept.append(weakref.ref(stream))
        return stream

    run = started(watched, steps=1000)
    qtbot.waitUntil(lambda: Prepared in run.kinds() and bool(kept))
    qtbot.wait(30)
    begin = time.monotonic()
    run.worker.quit()
    qtbot.waitUntil(run.over.is_set, timeout=5000)
    assert time.monotonic() - begin < 1
    assert translate.closed
    gc.collect()
    assert kept[0]() is None
    assert run.control.box.take() is None


def test_napari_asks_before_it_closes_a_window_with_a_run(make_napari_viewer, started, streams, qtbot):
    """Its dialog lists the busy tasks by name; afterwards nothing is busy any more."""
    viewer = make_napari_viewer()
    run = started(streams(), steps=300)
    qtbot.waitUntil(lambda: bool(run.events))
    status = viewer.window._task_status_manager.get_status()
    assert len(status) == 1
    assert "translation T1 low. Finished samples are kept" in status[0]
    run.control.cancel()
    qtbot.waitUntil(run.over.is_set, timeout=5000)
    assert not viewer.window._task_status_manager.is_busy()
