"""The line over the volumes: code, progress, window, pause."""

from __future__ import annotations

from functools import partial

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QWidget

from napari_vol2vol.ct_windows import CT_WINDOWS, window_text
from napari_vol2vol.study.design import WindowPolicy
from napari_vol2vol.study.session import Progress
from napari_vol2vol.ui.reading.scale_row import answer_button
from napari_vol2vol.ui.reading.view_state import Limits

FIRST = "study's window"


class TopBar(QWidget):
    """Says nothing of a case but its code. ``preset_chosen`` carries limits, None for the first window."""

    preset_chosen = Signal(object)
    pause_clicked = Signal()

    def __init__(self, policy: WindowPolicy) -> None:
        super().__init__()
        self.code, self.progress, self.window_text = QLabel(), QLabel(), QLabel()
        self.code.setStyleSheet("font-size: 18px; font-weight: 700; color: #f2f2f2; letter-spacing: 2px;")
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedSize(180, 8)
        self.pause = answer_button("Pause  (P)", checkable=False)
        self.pause.clicked.connect(self.pause_clicked)
        self.presets: list[tuple[Limits | None, QPushButton]] = []
        self._next = 0
        line = QHBoxLayout(self)
        line.setContentsMargins(12, 4, 12, 4)
        line.setSpacing(12)
        for widget in (self.code, self.progress, self.bar):
            line.addWidget(widget)
        line.addStretch()
        line.addWidget(self.window_text)
        if policy.locked:
            line.addWidget(QLabel("window fixed by the study"))
        else:
            self._add_presets(line, policy)
        line.addWidget(self.pause)

    def _add_presets(self, line: QHBoxLayout, policy: WindowPolicy) -> None:
        offered: list[tuple[str, Limits | None]] = [(FIRST, None)]
        offered += [(name, CT_WINDOWS[name].limits) for name in policy.presets]
        for name, limits in offered:
            button = answer_button(name, checkable=False)
            button.clicked.connect(partial(self._choose, limits))
            self.presets.append((limits, button))
            line.addWidget(button)

    def next_preset(self) -> None:
        """Choose the preset after the last one chosen."""
        if self.presets:
            self._next = (self._next + 1) % len(self.presets)
            self.preset_chosen.emit(self.presets[self._next][0])

    def show_case(self, code: str, block: str, progress: Progress) -> None:
        """Show the code of a case and how far the reader is; ``block`` is the block's title."""
        self._next = 0
        self.code.setText(code)
        where = f"{block}: " if block else ""
        self.progress.setText(
            f"{where}{progress.block_done + 1} of {progress.block_total}"
            + (
                f"   ({progress.done + 1} of {progress.total})"
                if progress.total != progress.block_total
                else ""
            )
        )
        self.bar.setRange(0, progress.total)
        self.bar.setValue(progress.done)

    def show_window(self, limits: Limits) -> None:
        """Show width and level."""
        self.window_text.setText(window_text(limits))

    def _choose(self, limits: Limits | None, checked: bool = False) -> None:
        self._next = [preset for preset, _ in self.presets].index(limits)
        self.preset_chosen.emit(limits)
