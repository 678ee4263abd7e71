"""What the dock shows of a run while it goes on: layers, curves, status line, list of runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject

from napari_vol2vol.ui.result_layers import ResultLayers, image_limits
from napari_vol2vol.ui.run_state import RunState, progress_text
from napari_vol2vol.ui.runs_list import RunEntry
from napari_vol2vol.ui.session import session_of
from napari_vol2vol.ui.worker import Prepared, RunJob

if TYPE_CHECKING:
    from napari.layers import Image

    from napari_vol2vol.ui.translate_dock import TranslateDock
    from napari_vol2vol.volume import Volume


class RunReport(QObject):
    """Turns the signals of a `RunController` into what the user sees (main thread only)."""

    def __init__(self, dock: TranslateDock) -> None:
        super().__init__(dock)
        self._dock = dock
        self._session = session_of(dock.viewer)
        self.entry: RunEntry | None = None
        self.notices: list[str] = []
        self.position = (0, 0)
        self._shared: list[Image] = []
        self._request: Any = None
        self._job: RunJob | None = None
        self._steps = self._samples = 1
        self._finished_samples = self._number = 0

    def begin(self, request: Any, shared: list[Image], job: RunJob) -> None:
        """Forget the last run."""
        self.entry = None
        self.notices = []
        self.position = (0, 0)
        self._finished_samples = 0
        self._request, self._shared, self._job = request, shared, job
        self._session.curves.clear(request.steps)
        self._say("preparing …")

    # ------------------------------------------------------------------ signals of the controller

    def on_state(self, state: RunState) -> None:
        """Show a new state."""
        if state is RunState.PAUSED:
            self._say(f"paused · {self._session.status}")
        elif state is RunState.FAILED:
            failure = self._dock.controller.failure
            self._end("failed")
            self._say(failure.message)
        self._dock.bar.show_state(state)
        if state is RunState.FAILED:
            self._dock.bar.show_failure(failure.message, failure.details)
        elif state is RunState.CANCELLED and self.entry is not None and self.entry.outcome == "running":
            self._end("cancelled")
            self._say(self._cancelled_text())

    def on_event(self, event: Any) -> None:
        """Show an engine event."""
        from napari_vol2vol.engine.events import Done, Notice, Preparing, SampleDone, Started

        if isinstance(event, Prepared):
            self._on_prepared(event)
        elif isinstance(event, Preparing):
            self._say(f"preparing: {event.message}")
        elif isinstance(event, Started):
            self._on_started(event)
        elif isinstance(event, SampleDone):
            self._finished_samples = max(self._finished_samples, event.sample)
        elif isinstance(event, Notice):
            self._notice(event.message)
        elif isinstance(event, Done):
            self._on_done(event)

    def on_progress(self, progress: Any) -> None:
        """Move the bar and the status line."""
        self._dock.bar.show_fraction(progress.fraction)
        self.position = (progress.step, progress.sample)
        if self._dock.controller.state is RunState.RUNNING:
            step = min(max(progress.step, 0), self._steps)
            self._say(progress_text(step, self._steps, progress.sample, self._samples, progress.seconds_left))

    def on_snapshot(self, snapshot: Any) -> None:
        """Show the newest arrays."""
        if self.entry is not None:
            self.entry.layers.show_snapshot(snapshot)
            self._dock.taps.offer(snapshot.taps)
            chosen = self._dock.taps.chosen()
            self.entry.layers.show_taps({n: a for n, a in snapshot.taps.items() if n in chosen})

    # ------------------------------------------------------------------ parts

    def _on_prepared(self, event: Prepared) -> None:
        viewer, request = self._dock.viewer, self._request
        layers = ResultLayers(viewer, event.source, request.system, self._shared)
        self._number += 1
        self.entry = RunEntry(f"#{self._number} {request.system}", layers, self._job.folder)
        self._dock.runs.add(self.entry)
        self._session.runs.append(self.entry)
        self._session.runs_changed.emit()
        if event.reference is not None and event.source.name not in viewer.layers:
            data, keywords, _ = event.source.to_layer()
            limits = self._shared[0].contrast_limits if self._shared else None
            viewer.add_image(data, **keywords, contrast_limits=limits)
        show_pictures(viewer, event.pictures, event.source)
        for remark in event.remarks:
            self._notice(remark)

    def _on_started(self, event: Any) -> None:
        self._steps, self._samples = event.steps, event.samples
        self._session.curves.clear(event.steps)
        if self.entry is not None:
            self.entry.layers.with_mean = event.samples > 1
            plural = "" if event.samples == 1 else "s"
            self.entry.title += (
                f" · {event.steps} steps, {event.samples} sample{plural} · seed {self._request.seed}"
            )
            self._dock.runs.refresh()

    def _on_done(self, event: Any) -> None:
        if self.entry is None:
            return
        self.entry.layers.show_volumes(event.volumes)
        self.entry.folder = event.folder or self.entry.folder
        self._finished_samples = max(self._finished_samples, int("mean" in event.volumes))
        if event.cancelled:
            self._end("cancelled")
            self._say(self._cancelled_text())
            return
        figures = figures_text(event.metrics)
        self._end(figures or "done")
        self._say(" · ".join(part for part in ("done", figures, self._saved_text()) if part))

    def _end(self, outcome: str) -> None:
        if self.entry is not None:
            self.entry.outcome = outcome
            self._session.runs_changed.emit()
        self._dock.runs.refresh()

    def _cancelled_text(self) -> str:
        kept = f"{self._finished_samples} of {self._samples} samples kept"
        return (
            f"cancelled · {kept}"
            if self._finished_samples
            else "cancelled before the first sample was finished"
        )

    def _saved_text(self) -> str:
        folder = self.entry.folder if self.entry else None
        return f"saved in {folder.name}" if folder is not None and folder.is_dir() else ""

    def _notice(self, message: str) -> None:
        if message not in self.notices:
            self.notices.append(message)
            self._dock.warnings.setText("\n".join(f"⚠ {notice}" for notice in self.notices))
            self._dock.warnings.setVisible(True)

    def _say(self, text: str) -> None:
        self._session.status = text
        self._dock.bar.show_status(text)


def show_pictures(viewer: Any, pictures: Mapping[str, Volume], source: Volume) -> None:
    """Add what shows a measurement as hidden layers, below everything else; those of the same name stay.

    A sinogram has no place in the body: its views and bins fill the field of view of the slice they are of.
    """
    _, fitted, _ = source.to_layer()
    box = np.array(fitted["scale"]) * source.shape
    corner = np.array(fitted["translate"]) - np.array(fitted["scale"]) / 2
    for picture in pictures.values():
        if picture.name not in viewer.layers:
            data, keywords, _ = picture.to_layer()
            scale = box / data.shape
            keywords |= {"scale": scale, "translate": corner + scale / 2}
            low, high = image_limits(data)
            layer = viewer.add_image(data, **keywords, contrast_limits=(low, high), visible=False)
            viewer.layers.move(viewer.layers.index(layer), 0)


def figures_text(metrics: Any) -> str:
    """Return the figures against the reference: ``"PSNR 28.3 dB (mean), 26.5 dB (one sample)"``."""
    single, mean = metrics.get("psnr_single"), metrics.get("psnr_mean")
    if mean is None:
        return ""
    if (fixed := metrics.get("psnr_fixed")) is not None:
        return f"PSNR {mean:.2f} dB, {fixed:.2f} dB with the fixed prior"
    if single is None or abs(single - mean) < 0.005:
        return f"PSNR {mean:.2f} dB"
    return f"PSNR {mean:.2f} dB (mean), {single:.2f} dB (last sample)"
