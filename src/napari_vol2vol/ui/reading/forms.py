"""One form for each kind of question: keys and clicks in, answers out. Nothing is stored here."""

from __future__ import annotations

from functools import partial
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from napari_vol2vol.study.questions import Question
from napari_vol2vol.ui.reading.scale_row import ENTER, ScaleRow, answer_button

#: Keys of the two answers of a choice.
FIRST, SECOND = Qt.Key.Key_F, Qt.Key.Key_J


class Form(QWidget):
    """What all forms share. ``chosen`` is a choice that can still change, ``given`` the answer.

    ``given`` carries value and confidence; a value of None stands for what was chosen, or for no answer to an
    optional question.
    """

    chosen = Signal(object)
    given = Signal(object, object)
    hint = ""

    def __init__(self, question: Question, shown: int) -> None:
        super().__init__()
        self.question, self.shown = question, shown
        self.lines = QVBoxLayout(self)
        self.lines.setContentsMargins(0, 0, 0, 0)
        self.lines.setSpacing(6)
        self.ok = answer_button("Confirm  (Enter)", checkable=False)
        self.ok.clicked.connect(self.confirm)

    def restore(self, choice: Any) -> None:
        """Show a choice that was stored before."""

    def key(self, key: int) -> bool:
        """Take a key; return whether the form knows it."""
        if key in ENTER:
            self.confirm()
            return True
        return False

    def confirm(self) -> None:
        """Give the answer where it is complete."""
        raise NotImplementedError


class ChoiceForm(Form):
    """Left or right, yes or no; then the confidence where one is asked, else Enter."""

    def __init__(self, question: Question, shown: int) -> None:
        super().__init__(question, shown)
        self.value: str | None = None
        words = ("left", "right") if question.kind == "2afc" else ("yes", "no")
        self.keys = dict(zip((FIRST, SECOND), words, strict=True))
        self.buttons = {
            word: answer_button(f"{word.capitalize()}  ({k})") for word, k in zip(words, "FJ", strict=True)
        }
        line = QHBoxLayout()
        line.setSpacing(16)
        for word, button in self.buttons.items():
            button.setMinimumWidth(170)
            button.clicked.connect(partial(self._choose, word))
            line.addWidget(button)
        line.insertStretch(0)
        self.confidence = None
        if question.confidence is not None:
            self.confidence = ScaleRow(question.confidence, caption="How sure? (highest: certain)")
            self.confidence.picked.connect(lambda number: self.given.emit(None, number))
            self.confidence.setEnabled(False)
            self.hint = "F or J chooses; then the number says how sure you are and goes on"
            line.addSpacing(24)
            line.addWidget(self.confidence)
        else:
            self.ok.setEnabled(False)
            self.hint = "F or J chooses, Enter goes on"
            line.addWidget(self.ok)
        line.addStretch()
        self.lines.addLayout(line)

    def restore(self, choice: Any) -> None:
        """Show a choice that was stored before."""
        self._mark(choice)

    def key(self, key: int) -> bool:
        """Take F, J, and the keys of the confidence once there is a choice."""
        if key in self.keys:
            self._choose(self.keys[key])
            return True
        if self.confidence is not None:
            return self.value is not None and self.confidence.key(key)
        return super().key(key)

    def confirm(self) -> None:
        """Give the answer where nothing else is asked."""
        if self.value is not None and self.confidence is None:
            self.given.emit(None, None)

    def _choose(self, word: str, checked: bool = True) -> None:
        if word != self.value:
            self.chosen.emit(word)
        self._mark(word)

    def _mark(self, word: str) -> None:
        self.value = word
        for other, button in self.buttons.items():
            button.setChecked(other == word)
        (self.confidence or self.ok).setEnabled(True)


class RatingForm(Form):
    """One number."""

    hint = "the number chooses, Enter goes on"

    def __init__(self, question: Question, shown: int) -> None:
        super().__init__(question, shown)
        self.row = ScaleRow(question.scale, question.labels)
        line = QHBoxLayout()
        line.addStretch()
        line.addWidget(self.row)
        if self.row.single:
            line.addWidget(self.ok)
        else:
            self.row.picked.connect(lambda number: self.confirm())
        line.addStretch()
        self.lines.addLayout(line)

    def key(self, key: int) -> bool:
        """Take digits and Enter."""
        return self.row.key(key) or super().key(key)

    def confirm(self) -> None:
        """Give the number."""
        if self.row.value is not None:
            self.given.emit(self.row.value, None)


class GradingForm(Form):
    """One number a criterion; a digit goes to the next criterion, brackets go back and forth."""

    hint = "the number grades the marked criterion, [ and ] go back and on, Enter gives all grades"

    def __init__(self, question: Question, shown: int) -> None:
        super().__init__(question, shown)
        self.rows = {c: ScaleRow(question.scale, question.labels, caption=c) for c in question.criteria}
        self.current = 0
        wide = max((row.caption.sizeHint().width() for row in self.rows.values()), default=0)
        for number, row in enumerate(self.rows.values()):
            row.caption.setFixedWidth(round(1.25 * wide) + 12)  # bold is wider
            row.picked.connect(partial(self._picked, number))
            line = QHBoxLayout()
            line.addStretch()
            line.addWidget(row)
            line.addStretch()
            self.lines.addLayout(line)
        self.lines.addWidget(self.ok, alignment=Qt.AlignmentFlag.AlignCenter)
        self._go(0)

    def key(self, key: int) -> bool:
        """Take digits, brackets and Enter."""
        if key in (Qt.Key.Key_BracketLeft, Qt.Key.Key_BracketRight):
            self._go(self.current + (1 if key == Qt.Key.Key_BracketRight else -1))
            return True
        row = list(self.rows.values())[self.current]
        if key in ENTER and all(r.value is not None for r in self.rows.values()):
            self.confirm()
            return True
        return row.key(key) or super().key(key)

    def confirm(self) -> None:
        """Give all grades."""
        grades = {criterion: row.value for criterion, row in self.rows.items()}
        if None not in grades.values():
            self.given.emit(grades, None)

    def _picked(self, number: int, value: int) -> None:
        self._go(number + 1)

    def _go(self, number: int) -> None:
        self.current = min(max(number, 0), len(self.rows) - 1)
        for place, row in enumerate(self.rows.values()):
            row.caption.setStyleSheet("font-weight: 700; color: #ffd166;" if place == self.current else "")


class RankingForm(Form):
    """The volumes by number, best first."""

    hint = "type the numbers, best first; Backspace takes the last one back, Enter goes on"

    def __init__(self, question: Question, shown: int) -> None:
        super().__init__(question, shown)
        self.order: list[int] = []
        line = QHBoxLayout()
        line.addStretch()
        self.buttons = []
        for position in range(shown):
            name = ("Left (1)", "Right (2)")[position] if shown == 2 else str(position + 1)
            button = answer_button(name, checkable=False)
            button.setProperty("name", name)
            button.clicked.connect(partial(self._add, position))
            self.buttons.append(button)
            line.addWidget(button)
        back = answer_button("Back", checkable=False)
        back.clicked.connect(self._back)
        line.addWidget(back)
        line.addWidget(self.ok)
        line.addStretch()
        self.lines.addLayout(line)

    def key(self, key: int) -> bool:
        """Take digits, Backspace and Enter."""
        if Qt.Key.Key_1 <= key < Qt.Key.Key_1 + self.shown:
            self._add(key - Qt.Key.Key_1)
        elif key == Qt.Key.Key_Backspace:
            self._back()
        else:
            return super().key(key)
        return True

    def confirm(self) -> None:
        """Give the order once every volume has its place."""
        if len(self.order) == self.shown:
            self.given.emit(list(self.order), None)

    def _add(self, position: int, checked: bool = False) -> None:
        if position not in self.order:
            self.order.append(position)
            self._show()

    def _back(self, checked: bool = False) -> None:
        self.order = self.order[:-1]
        self._show()

    def _show(self) -> None:
        for position, button in enumerate(self.buttons):
            place = f"   rank {self.order.index(position) + 1}" if position in self.order else ""
            button.setText(f"{button.property('name')}{place}")
