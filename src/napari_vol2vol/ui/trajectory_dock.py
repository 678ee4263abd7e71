"""The *Trajectory* dock: go back and forth through the recorded steps of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QSize, Qt, QTimer
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QPushButton,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from napari_vol2vol.errors import VolumeError
from napari_vol2vol.ui.line_plot import LinePlot, PlotLine
from napari_vol2vol.ui.row import Row, note
from napari_vol2vol.ui.session import session_of
from napari_vol2vol.ui.trajectory import Trajectory, open_trajectory
from napari_vol2vol.ui.window_layout import DockWatch, arrange, main_window_of, set_role
from napari_vol2vol.volume import Volume

if TYPE_CHECKING:
    import napari
    from napari.layers import Image

    from napari_vol2vol.ui.runs_list import RunEntry

SPEEDS = {"slow": 1000, "normal": 400, "fast": 120}


class TrajectoryDock(QWidget):
    """One layer shows the step that the slider is at; the arrow keys move it while it has the focus."""

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.run, self.sample, self.speed = QComboBox(), QComboBox(), QComboBox()
        self.open = QPushButton("Open a run folder …")
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.back, self.play, self.forth = QPushButton("◀"), QPushButton("Play"), QPushButton("▶")
        self.speed.addItems(SPEEDS)
        self.speed.setCurrentText("normal")
        self.plot = LinePlot("Mean |change of x̂0| from step to step", "step")
        self.status = note()
        self.trajectory: Trajectory | None = None
        self.layer: Image | None = None
        self._entries: list[RunEntry] = []
        self._changes: dict[int, float] = {}
        self._last: tuple[int, np.ndarray] | None = None
        self._timer = QTimer(self)
        self._closed = False
        self._lay_out()
        self._connect()
        set_role(self, "side")
        self._watch = DockWatch(self, self._on_docked, self.close_dock)
        self._on_runs()

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return the width in which nothing is cut off."""
        return QSize(340, 480)

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.addWidget(Row("Run", self.run, number="1", tip="A run of this session that was recorded"))
        layout.addWidget(self.open)
        layout.addWidget(Row("Sample", self.sample, number="2", tip="Which of its samples"))
        layout.addWidget(self.slider)
        buttons = QHBoxLayout()
        for widget in (self.back, self.play, self.forth, self.speed):
            buttons.addWidget(widget)
        layout.addLayout(buttons)
        layout.addWidget(self.status)
        layout.addWidget(self.plot)
        layout.addStretch(1)
        self.play.setCheckable(True)

    def _connect(self) -> None:
        self.run.activated.connect(self._on_run)
        self.open.clicked.connect(self._on_open)
        self.sample.currentIndexChanged.connect(self._on_sample)
        self.slider.valueChanged.connect(self._on_step)
        self.back.clicked.connect(lambda: self.slider.setValue(self.slider.value() - 1))
        self.forth.clicked.connect(lambda: self.slider.setValue(self.slider.value() + 1))
        self.play.toggled.connect(self._on_play)
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
            self.trajectory = open_trajectory(folder)
        except VolumeError as error:
            self.trajectory = None
            self.status.setText(str(error))
            self._allow(False)
            return
        self._forget_layer()
        self.sample.blockSignals(True)
        self.sample.clear()
        self.sample.addItems([str(s) for s in self.trajectory.samples])
        self.sample.blockSignals(False)
        self._allow(True)
        self._on_sample()

    def show_step(self, step: int) -> None:
        """Show one recorded step."""
        if self.trajectory is None:
            return
        sample = int(self.sample.currentText())
        try:
            array = self.trajectory.array(sample, step)
        except VolumeError as error:
            self.status.setText(str(error))
            return
        self._show(array, sample)
        if self._last is not None and abs(self._last[0] - step) == 1:
            self._changes[max(step, self._last[0])] = float(np.abs(array - self._last[1]).mean())
        self._last = (step, array)
        self.status.setText(f"step {step} of {self.slider.maximum()} · sample {sample}")
        self._draw(step)

    # ------------------------------------------------------------------ reactions

    def _allow(self, on: bool) -> None:
        for widget in (self.sample, self.slider, self.back, self.play, self.forth):
            widget.setEnabled(on)

    def _on_runs(self) -> None:
        """Offer the runs of the session; the newest that was recorded is opened where none is yet."""
        self._entries = [e for e in session_of(self.viewer).runs if e.folder is not None]
        self.run.clear()
        self.run.addItems([entry.text for entry in self._entries])
        recorded = [e for e in self._entries if (e.folder / "trajectory").is_dir()]
        if self.trajectory is None and recorded and recorded[-1].outcome != "running":
            self.run.setCurrentIndex(self._entries.index(recorded[-1]))
            self.open_folder(recorded[-1].folder)
        elif self.trajectory is None:
            self._allow(False)
            self.status.setText("no recorded run yet: set Record under More before a run, or open a folder")

    def _on_run(self, index: int) -> None:
        if 0 <= index < len(self._entries):
            self.open_folder(self._entries[index].folder)

    def _on_open(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "A run folder")
        if chosen:
            self.open_folder(Path(chosen))

    def _on_sample(self) -> None:
        if self.trajectory is None or not self.sample.currentText():
            return
        steps = self.trajectory.steps(int(self.sample.currentText()))
        self._changes, self._last = {}, None
        self.slider.blockSignals(True)
        self.slider.setRange(steps[0], steps[-1])
        self.slider.setValue(steps[0])
        self.slider.blockSignals(False)
        self._on_step(steps[0])

    def _on_step(self, step: int) -> None:
        self.show_step(step)

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

    def _show(self, array: np.ndarray, sample: int) -> None:
        if self.layer is None or self.layer not in self.viewer.layers:
            self.layer = self._new_layer(array)
        elif self.layer.data.shape == array.shape:
            self.layer.data = array
        self.layer.metadata["vol2vol_trajectory_sample"] = sample

    def _new_layer(self, array: np.ndarray) -> Image:
        """Add the layer on the grid of the run's first sample."""
        from napari_vol2vol.io import read_volume

        keywords = {}
        paths = sorted(self.trajectory.folder.glob("sample-*.nii.gz"))
        last = self.trajectory.array(*max(self.trajectory.files))
        if paths:
            grid = read_volume(paths[0])
            if grid.shape == array.shape:
                _, keywords, _ = grid.to_layer()
        if not keywords:
            _, keywords, _ = Volume.from_array(array).to_layer()
        limits = float(last.min()), float(np.percentile(last, 99.8))
        keywords |= {"name": f"{self.trajectory.folder.name} · trajectory", "contrast_limits": limits}
        return self.viewer.add_image(array, **keywords)

    def _forget_layer(self) -> None:
        self.layer, self._last, self._changes = None, None, {}

    def _draw(self, step: int) -> None:
        steps = sorted(self._changes)
        line = PlotLine("change", steps, [self._changes[s] for s in steps], dots=True)
        here = self._changes.get(step)
        dot = PlotLine("this step", [step] if here is not None else [], [here] if here is not None else [],
                       "#ffd166", dots=True)  # fmt: skip
        self.plot.set_lines((line, dot))

    def _on_docked(self) -> None:
        window = main_window_of(self)
        if window is not None and not self._closed:
            arrange(window)
