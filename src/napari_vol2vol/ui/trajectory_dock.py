"""The *Trajectory* dock: go back and forth through the recorded steps of a run, and on from one of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QSignalBlocker, QSize, Qt, QTimer
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QPushButton,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from napari_vol2vol.errors import Vol2VolError, VolumeError
from napari_vol2vol.evaluation.recorded_run import KINDS, STATE, X0, Trajectory, open_trajectory
from napari_vol2vol.ui.export_button import ExportButton
from napari_vol2vol.ui.fill_translate import fill_resume
from napari_vol2vol.ui.line_plot import LinePlot, PlotLine
from napari_vol2vol.ui.row import Row, note
from napari_vol2vol.ui.session import session_of
from napari_vol2vol.ui.trajectory_layer import TrajectoryLayer
from napari_vol2vol.ui.trajectory_plots import TrajectoryPlots
from napari_vol2vol.ui.window_layout import DockWatch, arrange, main_window_of, set_role

if TYPE_CHECKING:
    import napari
    from napari.layers import Image

    from napari_vol2vol.ui.runs_list import RunEntry

SPEEDS = {"slow": 1000, "normal": 400, "fast": 120}
ALONE = "none"


class TrajectoryDock(QWidget):
    """One layer a run shows the step that the slider is at; the arrow keys move it while it has the focus."""

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.run, self.beside, self.sample, self.what, self.speed = (QComboBox() for _ in range(5))
        self.open, self.open_beside = QPushButton("Open a run folder …"), QPushButton("Open one beside …")
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.back, self.play, self.forth = QPushButton("◀"), QPushButton("Play"), QPushButton("▶")
        self.resume = QPushButton("Resume from here")
        self.resume.setToolTip("Fills the Translate dock: change steps, η, λ or consistency there, then Run")
        self.export = ExportButton(self._folder, self._shown)
        self.speed.addItems(SPEEDS)
        self.speed.setCurrentText("normal")
        for kind, words in KINDS.items():
            self.what.addItem(words, kind)
        self.plots = TrajectoryPlots()
        self.plot = LinePlot("Mean |change of x̂0| from step to step", "step")
        self.status = note()
        self._first, self._second = TrajectoryLayer(napari_viewer), TrajectoryLayer(napari_viewer)
        self._entries: list[RunEntry] = []
        self._changes: dict[int, float] = {}
        self._last: tuple[int, np.ndarray] | None = None
        self._timer = QTimer(self)
        self._closed = False
        self._lay_out()
        self._connect()
        set_role(self, "side")
        self._watch = DockWatch(self, self._on_docked, self.close_dock)
        session_of(napari_viewer).docks["Trajectory"] = self
        self._on_runs()

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return the width in which nothing is cut off."""
        return QSize(340, 760)

    @property
    def trajectory(self) -> Trajectory | None:
        """The run that is shown."""
        return self._first.run

    @property
    def layer(self) -> Image | None:
        """The layer of the run."""
        return self._first.layer

    @property
    def layer_beside(self) -> Image | None:
        """The layer of the run beside it."""
        return self._second.layer

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        self.what_row = Row("Show", self.what, number="4", tip="What of each step")
        folders, buttons = QHBoxLayout(), QHBoxLayout()
        for widget in (self.open, self.open_beside):
            folders.addWidget(widget)
        for widget in (self.back, self.play, self.forth, self.speed):
            buttons.addWidget(widget)
        layout.addWidget(Row("Run", self.run, number="1", tip="A run of this session that was recorded"))
        tip = "A second run in step with the first, such as the same seed under another setting"
        layout.addWidget(Row("Beside", self.beside, number="2", tip=tip))
        layout.addLayout(folders)
        layout.addWidget(Row("Sample", self.sample, number="3", tip="Which of its samples"))
        layout.addWidget(self.what_row)
        layout.addWidget(self.slider)
        layout.addLayout(buttons)
        last = QHBoxLayout()
        last.addWidget(self.resume)
        last.addWidget(self.export)
        layout.addLayout(last)
        for widget in (self.status, self.plots, self.plot):
            layout.addWidget(widget)
        layout.addStretch(1)
        self.play.setCheckable(True)

    def _connect(self) -> None:
        self.run.activated.connect(self._on_run)
        self.beside.activated.connect(self._on_beside)
        self.open.clicked.connect(lambda: self._ask(self.open_folder))
        self.open_beside.clicked.connect(lambda: self._ask(self.open_second))
        self.sample.currentIndexChanged.connect(self._on_sample)
        self.what.currentIndexChanged.connect(lambda: self.show_step(self.slider.value()))
        self.slider.valueChanged.connect(self.show_step)
        self.back.clicked.connect(lambda: self.slider.setValue(self.slider.value() - 1))
        self.forth.clicked.connect(lambda: self.slider.setValue(self.slider.value() + 1))
        self.play.toggled.connect(self._on_play)
        self.resume.clicked.connect(self.resume_here)
        self.export.said.connect(self.status.setText)
        self.speed.currentTextChanged.connect(lambda text: self._timer.setInterval(SPEEDS[text]))
        self._timer.timeout.connect(self._on_tick)
        session_of(self.viewer).runs_changed.connect(self._on_runs)

    def close_dock(self) -> None:
        """Stop; can be called twice."""
        if self._closed:
            return
        self._closed = True
        self._timer.stop()
        session_of(self.viewer).runs_changed.disconnect(self._on_runs, missing_ok=True)

    # ------------------------------------------------------------------ actions

    def open_folder(self, folder: Path) -> None:
        """Show the steps of a run folder, of this session or an earlier one."""
        try:
            run = open_trajectory(folder)
        except VolumeError as error:
            self._first.take(None)
            self.status.setText(str(error))
            self._allow()
            return
        self._first.take(run)
        with QSignalBlocker(self.sample):
            self.sample.clear()
            self.sample.addItems([str(s) for s in run.samples])
        self._on_sample()

    def open_second(self, folder: Path | None) -> None:
        """Show a second run beside the first, in step with it; None: take it away."""
        if self._second.layer is not None and self._second.layer in self.viewer.layers:
            self._second.layer.visible = False
        try:
            self._second.take(None if folder is None else open_trajectory(folder))
        except VolumeError as error:
            self._second.take(None)
            self.status.setText(str(error))
            return
        self.show_step(self.slider.value())

    def show_step(self, step: int) -> None:
        """Show one recorded step of both runs."""
        if self.trajectory is None or not self.sample.currentText():
            return
        sample, kind = int(self.sample.currentText()), self.what.currentData()
        try:
            array = self._first.show(sample, step, kind)
            words = f"step {step} of {self.slider.maximum()} · sample {sample}" + self._facts(sample, step)
            shown = [(self.trajectory, sample, step)]
            if self._second.run is not None:
                shown.append(self._show_second(sample, step, kind))
                words += f"\nbeside: step {shown[1][2]}" + self._facts(*shown[1][1:], self._second.run)
        except VolumeError as error:
            self.status.setText(str(error))
            return
        self.status.setText(words)
        self.plots.show_runs(shown)
        self.plot.setVisible(not self.trajectory.facts)  # older recordings have no other curve
        if kind == X0:
            self._note_change(step, array)
        self._draw_changes(step)
        self._allow()

    def resume_here(self) -> None:
        """Fill the *Translate* dock so that its next run goes on from the step that is shown."""
        dock = session_of(self.viewer).docks.get("Translate")
        if dock is None:
            self.status.setText("Resume: open the Translate dock first")
            return
        step, sample = self.slider.value(), int(self.sample.currentText())
        try:
            fill_resume(dock, self.trajectory, sample, step)
        except Vol2VolError as error:
            self.status.setText(f"Resume: {error}")
            return
        self.status.setText(f"the Translate dock goes on from step {step}: change what you like, then Run")

    # ------------------------------------------------------------------ reactions

    def _allow(self) -> None:
        on = self.trajectory is not None
        for widget in (self.sample, self.slider, self.back, self.play, self.forth):
            widget.setEnabled(on)
        if not on:
            self.what_row.allow("no recorded run")
            self.resume.setEnabled(False)
            return
        sample = int(self.sample.currentText())
        reasons = [self.trajectory.missing(sample, kind) for kind in KINDS]
        for index, reason in enumerate(reasons):
            self.what.model().item(index).setEnabled(not reason)
            self.what.setItemData(index, reason, Qt.ItemDataRole.ToolTipRole)
        missing = sorted(set(filter(None, reasons)))
        self.what_row.allow("x_t and noise were not recorded: " + missing[0] if missing else "")
        state_there = (sample, self.slider.value(), STATE) in self.trajectory.files
        self.resume.setEnabled(state_there and (sample, self.slider.value()) in self.trajectory.facts)

    def _on_runs(self) -> None:
        """Offer the runs of the session; the newest that was recorded is opened where none is yet."""
        self._entries = [e for e in session_of(self.viewer).runs if e.folder is not None]
        texts = [entry.text for entry in self._entries]
        chosen = self.beside.currentIndex()
        for box, names in ((self.run, texts), (self.beside, [ALONE, *texts])):
            box.clear()
            box.addItems(names)
        self.beside.setCurrentIndex(max(chosen, 0))
        folders = [e.folder for e in self._entries]
        if self.trajectory is not None:
            if self.trajectory.folder in folders:
                self.run.setCurrentIndex(folders.index(self.trajectory.folder))
            return
        recorded = [e for e in self._entries if (e.folder / "trajectory").is_dir()]
        if recorded and recorded[-1].outcome != "running":
            self.run.setCurrentIndex(self._entries.index(recorded[-1]))
            self.open_folder(recorded[-1].folder)
        else:
            self._allow()
            self.status.setText("no recorded run yet: set Record under More before a run, or open a folder")

    def _on_run(self, index: int) -> None:
        if 0 <= index < len(self._entries):
            self.open_folder(self._entries[index].folder)

    def _on_beside(self, index: int) -> None:
        self.open_second(self._entries[index - 1].folder if index > 0 else None)

    def _ask(self, open_chosen: object) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "A run folder")
        if chosen:
            open_chosen(Path(chosen))

    def _on_sample(self) -> None:
        if self.trajectory is None or not self.sample.currentText():
            return
        sample = int(self.sample.currentText())
        steps = self.trajectory.steps(sample)
        self._changes, self._last = {}, None
        if self.trajectory.missing(sample, self.what.currentData()):
            with QSignalBlocker(self.what):
                self.what.setCurrentIndex(0)
        with QSignalBlocker(self.slider):
            self.slider.setRange(steps[0], steps[-1])
            self.slider.setValue(steps[0])
        self.show_step(steps[0])

    def _on_play(self, on: bool) -> None:
        self.play.setText("Stop" if on else "Play")
        if on:
            if self.slider.value() == self.slider.maximum():
                self.slider.setValue(self.slider.minimum())
            self._timer.start(SPEEDS[self.speed.currentText()])
        else:
            self._timer.stop()

    def _on_tick(self) -> None:
        if self.slider.value() == self.slider.maximum():
            self.play.setChecked(False)
        else:
            self.slider.setValue(self.slider.value() + 1)

    # ------------------------------------------------------------------ parts

    def _folder(self) -> Path | None:
        return None if self.trajectory is None else self.trajectory.folder

    def _shown(self) -> dict[str, object]:
        """Return what of the run is shown, for its film."""
        return {"sample": int(self.sample.currentText()), "shown": self.what.currentData() or "x0"}

    def _show_second(self, sample: int, step: int, kind: str) -> tuple[Trajectory, int, int]:
        run = self._second.run
        theirs = sample if sample in run.samples else run.samples[0]
        there = run.step_beside(self.trajectory, theirs, sample, step)
        self._second.show(theirs, there, kind if not run.missing(theirs, kind) else X0)
        return run, theirs, there

    def _facts(self, sample: int, step: int, run: Trajectory | None = None) -> str:
        facts = (run or self.trajectory).facts.get((sample, step))
        if facts is None:
            return ""
        words = [f" · t {facts.t:.3f}"]
        words += [f"residual {facts.residual:.1e}"] if facts.residual is not None else []
        words += [f"PSNR {facts.psnr:.2f} dB"] if facts.psnr is not None else []
        return " · ".join(words)

    def _note_change(self, step: int, array: np.ndarray) -> None:
        if self._last is not None and abs(self._last[0] - step) == 1:
            few = (slice(None, None, 4),) * 3  # the mean over so few voxels is as good
            change = float(np.abs(array[few] - self._last[1][few]).mean())
            self._changes[max(step, self._last[0])] = change
        self._last = (step, array)

    def _draw_changes(self, step: int) -> None:
        steps = sorted(self._changes)
        line = PlotLine("change", steps, [self._changes[s] for s in steps], dots=True)
        here = [self._changes[step]] if step in self._changes else []
        self.plot.set_lines((line, PlotLine("this step", [step] * len(here), here, "#ffd166", dots=True)))

    def _on_docked(self) -> None:
        window = main_window_of(self)
        if window is not None and not self._closed:
            arrange(window)
