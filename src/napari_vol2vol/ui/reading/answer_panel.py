"""The question under the volumes, its form, and what training says afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QFrame, QLabel, QVBoxLayout

from napari_vol2vol.study.questions import Question
from napari_vol2vol.ui.reading.forms import ChoiceForm, Form, GradingForm, RankingForm, RatingForm
from napari_vol2vol.ui.reading.scale_row import ENTER, answer_button
from napari_vol2vol.ui.reading.text_form import TextForm

FORMS: dict[str, type[Form]] = {
    "2afc": ChoiceForm, "yes-no": ChoiceForm, "rating": RatingForm, "grading": GradingForm,
    "ranking": RankingForm, "text": TextForm,
}  # fmt: skip
QUESTION = "font-size: 19px; font-weight: 600; color: #f2f2f2;"
#: So high that the views keep their size while question and feedback take turns.
HEIGHT = 112
HINT = "color: #9aa1ab; font-size: 12px;"
RIGHT, WRONG = "color: #7bd88f; font-size: 19px;", "color: #ff8a80; font-size: 19px;"


class AnswerPanel(QFrame):
    """Asks one question at a time. ``acknowledged`` ends the feedback of training."""

    chosen = Signal(object)
    given = Signal(object, object)
    acknowledged = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.form: Form | None = None
        self.feedback = False
        self.question, self.hint = QLabel(), QLabel()
        self.question.setStyleSheet(QUESTION)
        self.question.setWordWrap(True)
        self.hint.setStyleSheet(HINT)
        self.skip = answer_button("No answer  (N)", checkable=False)
        self.skip.clicked.connect(self._skip)
        self.lines = QVBoxLayout(self)
        self.lines.setContentsMargins(12, 6, 12, 6)
        self.lines.setSpacing(6)
        self.setMinimumHeight(HEIGHT)
        for label in (self.question, self.hint):
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
            self.lines.addWidget(label)
        self.lines.addWidget(self.skip, alignment=Qt.AlignmentFlag.AlignCenter)

    def ask(self, question: Question, shown: int, choice: Any = None) -> None:
        """Ask a question about so many volumes; ``choice`` was stored before."""
        self._clear()
        self.question.setStyleSheet(QUESTION)
        self.question.setText(question.text)
        self.form = FORMS[question.kind](question, shown)
        self.form.chosen.connect(self._on_chosen)
        self.form.given.connect(self.given)
        if choice is not None:
            self.form.restore(choice)
        self.skip.setVisible(question.optional and choice is None)
        self.hint.setText(self.form.hint + ("; X marks the crosshair" if question.mark else ""))
        self.lines.insertWidget(1, self.form)

    def tell(self, feedback: Mapping[str, Any]) -> None:
        """Show what the right answer was; the volumes stay."""
        self._clear()
        correct, right = feedback["correct"], str(feedback["right"]).capitalize()
        self.question.setStyleSheet(RIGHT if correct else WRONG)
        self.question.setText(f"{'Correct' if correct else 'Not correct'}. The answer: “{right}”")
        self.hint.setText("training; Enter goes on")
        self.skip.hide()
        self.feedback = True

    def key(self, key: int) -> bool:
        """Take a key; return whether question or feedback know it."""
        if self.feedback:
            if key not in ENTER:
                return False
            self.feedback = False
            self.acknowledged.emit()
            return True
        if key == Qt.Key.Key_N and not self.skip.isHidden():
            self._skip()
            return True
        return self.form is not None and self.form.key(key)

    def _on_chosen(self, value: object) -> None:
        self.skip.hide()
        self.chosen.emit(value)

    def _skip(self) -> None:
        self.given.emit(None, None)

    def _clear(self) -> None:
        self.feedback = False
        if self.form is not None:
            self.lines.removeWidget(self.form)
            self.form.hide()
            self.form.deleteLater()
            self.form = None
