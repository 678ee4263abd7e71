"""The *More* section of the *Translate* dock: everything that has a good default."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_vol2vol.systems.registry import SOLVERS
from napari_vol2vol.ui import settings
from napari_vol2vol.ui.row import Row

#: As in `engine.request`, which cannot be imported here without torch; a test compares them.
PRECISIONS = ("auto", "bfloat16", "float32")
DEVICES = ("auto", "cpu", "cuda", "mps")


@dataclass(frozen=True)
class Resumed:
    """A recorded step that the next run goes on from."""

    folder: Path
    sample: int
    step: int

    @property
    def text(self) -> str:
        """Return what stands in the field."""
        return f"{self.folder.name} · sample {self.sample} · step {self.step}"


class ResumeField(QWidget):
    """Shows where the next run goes on from, with a button that clears it."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.value: Resumed | None = None
        self.label, self.clear = QLabel(), QPushButton("✕")
        self.label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.clear.setMaximumWidth(32)
        self.clear.setToolTip("Start from noise again")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.label, stretch=1)
        layout.addWidget(self.clear)
        self.clear.clicked.connect(lambda: self.show_value(None))
        self.show_value(None)

    def show_value(self, value: Resumed | None) -> None:
        """Show a step to go on from, None for a start from noise."""
        before, self.value = self.value, value
        self.label.setText("starts from noise" if value is None else value.text)
        self.label.setToolTip("" if value is None else f"{value.folder}, step {value.step}")
        self.clear.setEnabled(value is not None)
        if before != value:
            self.changed.emit()


class MoreFields(QWidget):
    """``changed`` is emitted when a setting changes that the estimate depends on."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.solver, self.device, self.precision = (QComboBox() for _ in range(3))
        self.solver.addItems(SOLVERS)
        self.device.addItems(DEVICES)
        self.device.setEditable(True)
        self.device.setCurrentText(settings.default_device())
        self.precision.addItems(PRECISIONS)
        self.seed = spin(0, 2**31 - 1, 0)
        self.eta = real(-0.1, 1.0, -0.1, 0.1)
        self.eta.setSpecialValueText("auto")
        self.fusion_lambda = real(0.0, 10.0, 1.0, 0.1)
        self.slice_batch = spin(0, 4096, 0, zero="auto")
        self.record = spin(0, 100_000, 0, zero="off", suffix=" MiB")
        self.record_state = QCheckBox("also x_t and noise")
        self.resume = ResumeField()
        self.consistency = QCheckBox("obey the measurement")
        self.consistency.setChecked(True)
        self.folder = QLineEdit()
        self.folder.setPlaceholderText(str(settings.run_folder()))
        self._browse = QPushButton("…")
        self._browse.setMaximumWidth(32)
        self._build()

    def values(self) -> dict[str, Any]:
        """Return the fields of a `Translation` that are set here."""
        return {
            "solver": self.solver.currentText(),
            "seed": self.seed.value(),
            "eta": self.eta.value() if self.eta.value() >= 0 else None,
            "device": self.device.currentText().strip() or "auto",
            "precision": self.precision.currentText(),
            "fusion_lambda": self.fusion_lambda.value(),
            "consistency": self.consistency.isChecked(),
            "slice_batch": self.slice_batch.value() or None,
            "record_trajectory_mib": self.record.value(),
            "record_state": self.record.value() > 0 and self.record_state.isChecked(),
            **self._resumed(),
        }

    def _resumed(self) -> dict[str, Any]:
        there = self.resume.value
        if there is None:
            return {}
        return {"resume": str(there.folder), "resume_sample": there.sample, "resume_step": there.step}

    def new_run_folder(self, title: str) -> Path:
        """Return a folder for the next run that does not exist yet; it is made by the engine."""
        root = Path(self.folder.text()).expanduser() if self.folder.text().strip() else settings.run_folder()
        plain = re.sub(r"[^\w.-]+", "-", title).strip("-")
        stem = f"{time.strftime('%Y%m%d-%H%M%S')} {plain}"
        folder, number = root / stem, 2
        while folder.exists():
            folder, number = root / f"{stem} {number}", number + 1
        return folder

    def allow_for(self, system: Any) -> None:
        """Grey what means nothing for a system, and say why."""
        fixed = "" if system.stochastic else f"{system.title} does not sample"
        for row in (self._rows["solver"], self._rows["seed"]):
            row.allow(fixed)
        self._offer(("auto", *system.solvers))
        solver = self.solver.currentText()
        used = system.solvers[0] if solver == "auto" else solver
        self._rows["eta"].allow(fixed or ("" if used == "ddim" else f"fixed by the solver {used}"))
        fuses = system.name.startswith(("score-fusion", "diff-ensembler"))
        self._rows["lambda"].allow("" if fuses else "only where a 3D network fuses")
        self._rows["consistency"].allow(fixed)

    def _offer(self, solvers: tuple[str, ...]) -> None:
        """Offer the solvers that fit; one that is chosen and does not becomes ``auto``, without a signal."""
        if solvers == tuple(self.solver.itemText(i) for i in range(self.solver.count())):
            return
        chosen = self.solver.currentText()
        with QSignalBlocker(self.solver):
            self.solver.clear()
            self.solver.addItems(solvers)
            self.solver.setCurrentText(chosen if chosen in solvers else "auto")

    def _build(self) -> None:
        self._rows = {
            "solver": Row("Solver", self.solver),
            "seed": Row("Seed", self.seed, tip="The same seed gives the same volume on any device"),
            "eta": Row(
                "Eta",
                self.eta,
                tip="auto: the system's own; 0: deterministic; 1: as much noise as the reverse process",
            ),
            "device": Row("Device", self.device),
            "precision": Row("Precision", self.precision),
            "lambda": Row(
                "Lambda", self.fusion_lambda, tip="How strongly the 3D network corrects the planes"
            ),
            "consistency": Row(
                "Consistency", self.consistency, tip="Pull every step towards what was measured"
            ),
            "batch": Row(
                "Slice batch", self.slice_batch, tip="Slices per network call; auto fits the memory"
            ),
            "record": Row(
                "Record", self.record, tip="Keep x̂0 of every step in the run folder, up to this size"
            ),
            "state": Row(
                "Record state",
                self.record_state,
                tip="Keep x_t and the predicted noise too: four times as much, and the run can be resumed",
            ),
            "resume": Row(
                "Resume", self.resume, tip="Go on from a recorded step, chosen in the Trajectory dock"
            ),
            "folder": Row("Run folder", self.folder, tip="Every run gets a folder of its own in here"),
        }
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for row in self._rows.values():
            layout.addWidget(row)
        self._rows["folder"].layout().itemAt(0).layout().addWidget(self._browse)
        self._browse.clicked.connect(self._on_browse)
        for box in (self.solver, self.device, self.precision):
            box.currentTextChanged.connect(self.changed)
        self.slice_batch.valueChanged.connect(self.changed)
        self.resume.changed.connect(self.changed)
        self.record.valueChanged.connect(self._allow_state)
        self._allow_state()
        self.consistency.toggled.connect(self.changed)

    def _allow_state(self) -> None:
        self._rows["state"].allow("" if self.record.value() else "set Record first")

    def _on_browse(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Folder for runs", self.folder.text())
        if chosen:
            self.folder.setText(chosen)


def spin(low: int, high: int, value: int, *, zero: str = "", suffix: str = "") -> QSpinBox:
    """Return a field for a whole number; ``zero`` is shown instead of 0."""
    box = QSpinBox()
    box.setRange(low, high)
    box.setValue(value)
    box.setSpecialValueText(zero)
    box.setSuffix(suffix)
    return box


def real(low: float, high: float, value: float, step: float) -> QDoubleSpinBox:
    """Return a field for a number."""
    box = QDoubleSpinBox()
    box.setRange(low, high)
    box.setSingleStep(step)
    box.setValue(value)
    return box
