"""Run, pause and cancel, with the bar, the status line and what went wrong."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_vol2vol.ui.row import section
from napari_vol2vol.ui.run_state import ACTIVE, POSSIBLE, RunState

RUN_STYLE = "QPushButton:enabled { background-color: #2f7d4f; color: white; font-weight: bold; }"
BAR_PARTS = 1000


class RunBar(QWidget):
    """Buttons as signals; `show_state` and `show_progress` say what the run is doing."""

    run_asked = Signal()
    pause_asked = Signal()
    resume_asked = Signal()
    cancel_asked = Signal()
    again_asked = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.run, self.pause, self.cancel = QPushButton("Run"), QPushButton("Pause"), QPushButton("Cancel")
        self.run.setStyleSheet(RUN_STYLE)
        self.again = QPushButton("Again with another seed")
        self.again.setToolTip("Raise the seed by one and run; the layers of this run stay")
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setMaximumHeight(8)
        self.status = QLabel()
        self.status.setWordWrap(True)
        self.details = QPlainTextEdit()
        self.details.setReadOnly(True)
        self.details.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.details.setMinimumHeight(120)
        self.details.setStyleSheet("font-size: 11px;")
        self.copy = QPushButton("Copy details")
        self.folded = section("Details", self.details)
        self.folded.addWidget(self.copy)
        self._state = RunState.IDLE
        self._blocked = ""
        self._lay_out()
        self.run.clicked.connect(self.run_asked)
        self.again.clicked.connect(self.again_asked)
        self.pause.clicked.connect(self._on_pause)
        self.cancel.clicked.connect(self._on_cancel)
        self.copy.clicked.connect(self._on_copy)
        self.show_state(RunState.IDLE)

    def show_state(self, state: RunState) -> None:
        """Enable what is possible in a state."""
        self._state = state
        self.run.setEnabled("run" in POSSIBLE[state] and not self._blocked)
        self.cancel.setEnabled("cancel" in POSSIBLE[state])
        self.cancel.setText("Cancel")
        self.pause.setText("Resume" if state is RunState.PAUSED else "Pause")
        self.pause.setEnabled(bool({"pause", "resume"} & POSSIBLE[state]))
        self.bar.setVisible(state in ACTIVE)
        self.again.setVisible(state is RunState.DONE)
        self.again.setEnabled(not self._blocked)
        if state is RunState.PREPARING:
            self.bar.setRange(0, 0)
        if state is not RunState.FAILED:
            self.show_failure("", "")

    def block(self, reason: str) -> None:
        """Make *Run* impossible for a reason, possible again without one."""
        self._blocked = reason
        self.run.setToolTip(reason)
        self.show_state(self._state)

    def show_status(self, text: str) -> None:
        """Show one line over the bar."""
        self.status.setText(text)
        self.status.setVisible(bool(text))

    def show_fraction(self, fraction: float) -> None:
        """Move the bar to a part of the whole run."""
        self.bar.setRange(0, BAR_PARTS)
        self.bar.setValue(round(BAR_PARTS * fraction))

    def show_failure(self, message: str, details: str) -> None:
        """Show one sentence, with the details folded; nothing for an empty sentence."""
        if message:
            self.show_status(message)
        self.status.setStyleSheet("color: #ff7b72;" if message else "")
        self.details.setPlainText(details)
        self.folded.setVisible(bool(details))
        self.folded.collapse(animate=False)

    def _lay_out(self) -> None:
        buttons = QHBoxLayout()
        for button in (self.run, self.pause, self.cancel):
            buttons.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(buttons)
        for widget in (self.bar, self.status, self.again, self.folded):
            layout.addWidget(widget)

    def _on_pause(self) -> None:
        self.pause.setEnabled(False)
        (self.resume_asked if self._state is RunState.PAUSED else self.pause_asked).emit()

    def _on_cancel(self) -> None:
        self.cancel.setEnabled(False)
        self.cancel.setText("Cancelling…")
        self.cancel_asked.emit()

    def _on_copy(self) -> None:
        QApplication.clipboard().setText(f"{self.status.text()}\n\n{self.details.toPlainText()}")
