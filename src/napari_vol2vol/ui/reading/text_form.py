"""Free text. While the field has the focus, no key is a shortcut."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import QHBoxLayout, QPlainTextEdit

from napari_vol2vol.study.questions import LONGEST_TEXT, Question
from napari_vol2vol.ui.reading.forms import Form
from napari_vol2vol.ui.reading.scale_row import ENTER


class TextField(QPlainTextEdit):
    """Keeps every key to itself; Ctrl+Enter is done, Escape gives the keyboard back."""

    done = Signal()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Write, or leave."""
        if event.key() in ENTER and event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.done.emit()
        elif event.key() == Qt.Key.Key_Escape:
            self.window().setFocus()
        else:
            super().keyPressEvent(event)
        event.accept()

    def focusNextPrevChild(self, forward: bool) -> bool:  # noqa: N802
        """Stay here with Tab."""
        return False


class TextForm(Form):
    """A field; T goes into it, Ctrl+Enter gives the answer."""

    hint = "T goes to the text, Esc leaves it, Ctrl+Enter gives the answer"

    def __init__(self, question: Question, shown: int) -> None:
        super().__init__(question, shown)
        self.field = TextField()
        self.field.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.field.setMaximumHeight(90)
        self.field.setMinimumWidth(700)
        self.field.done.connect(self.confirm)
        self.field.textChanged.connect(self._cut)
        self.ok.setText("Confirm  (Ctrl+Enter)")
        line = QHBoxLayout()
        line.addStretch()
        line.addWidget(self.field)
        line.addWidget(self.ok)
        line.addStretch()
        self.lines.addLayout(line)

    def key(self, key: int) -> bool:
        """Take T; Enter alone gives nothing, so that no half sentence is sent."""
        if key == Qt.Key.Key_T:
            self.field.setFocus()
            return True
        return False

    def confirm(self) -> None:
        """Give the text; an empty one only where the question is optional."""
        text = self.field.toPlainText().strip()
        if text or self.question.optional:
            self.given.emit(text or None, None)

    def _cut(self) -> None:
        text = self.field.toPlainText()
        if len(text) > LONGEST_TEXT:
            self.field.setPlainText(text[:LONGEST_TEXT])
