"""A screen of words: before a block, during a pause, at the end, or where something went wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from napari_vol2vol.ui.reading.scale_row import answer_button

#: Key, word on the button, what it does.
Action = tuple[tuple[int, ...], str, Callable[[], object]]


class Page(QWidget):
    """Title, text, a warning, and one button for each action; every action has its keys."""

    def __init__(self, title: str, text: str, actions: Sequence[Action], warning: str = "") -> None:
        super().__init__()
        self._actions = tuple(actions)
        self.title, self.text, self.warning = QLabel(title), QLabel(text), QLabel(warning)
        self.title.setStyleSheet("font-size: 26px; font-weight: 600; color: #f2f2f2;")
        self.text.setStyleSheet("font-size: 16px; color: #d5d9df;")
        self.warning.setStyleSheet("font-size: 15px; color: #ffb454;")
        column = QVBoxLayout(self)
        column.addStretch()
        for label in (self.title, self.text, self.warning):
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setWordWrap(True)
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
            column.addWidget(label)
            column.addSpacing(14)
        line = QHBoxLayout()
        line.addStretch()
        for _, word, action in self._actions:
            button = answer_button(word, checkable=False)
            button.clicked.connect(lambda checked=False, act=action: act())
            line.addWidget(button)
        line.addStretch()
        column.addLayout(line)
        column.addStretch()

    def key(self, key: int) -> bool:
        """Take a key; return whether an action has it."""
        for keys, _, action in self._actions:
            if key in keys:
                action()
                return True
        return False
