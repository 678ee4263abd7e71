"""What readers are asked."""

from __future__ import annotations

from dataclasses import replace

from qtpy.QtWidgets import QCheckBox, QComboBox, QLineEdit

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.study.design import Study
from napari_vol2vol.study.questions import CONFIDENCE_SCALES, KINDS, Question
from napari_vol2vol.ui.designer.draft import plain_name, with_question
from napari_vol2vol.ui.designer.tab import Tab, chosen_rows, fill, parts, table
from napari_vol2vol.ui.row import Row

NONE = "none"


def scale_text(scale: tuple[int, int]) -> str:
    """Return a scale as it is typed: ``1 to 5``."""
    return f"{scale[0]} to {scale[1]}"


def scale_of(text: str) -> tuple[int, int]:
    """Read a scale; `SettingsError` says what is accepted."""
    try:
        low, high = (int(part) for part in text.split("to"))
    except ValueError:
        raise SettingsError(f"scale: found {text!r}, accepted is `1 to 5`") from None
    return low, high


class QuestionsTab(Tab):
    """A table of questions; the form under it adds one or replaces the one of the same name."""

    def __init__(self, study: Study) -> None:
        super().__init__(study)
        self.questions = table("name", "kind", "text")
        self.questions.itemSelectionChanged.connect(self._on_chosen)
        self.questions.verticalHeader().hide()
        self.lines.addWidget(self.questions, stretch=1)
        self.name, self.text, self.positive = QLineEdit(), QLineEdit(), QLineEdit()
        self.scale, self.labels, self.criteria = QLineEdit("1 to 5"), QLineEdit(), QLineEdit()
        self.kind, self.confidence = QComboBox(), QComboBox()
        self.kind.addItems(list(KINDS))
        self.confidence.addItems([NONE, *map(scale_text, CONFIDENCE_SCALES)])
        self.mark, self.optional = QCheckBox("mark a point"), QCheckBox("optional")
        for label, field, tip in (
            ("Name", self.name, "Letters, digits, - and _"),
            ("Kind", self.kind, "2afc: which of two; grading: one number for each criterion"),
            ("Text", self.text, "What readers see"),
            ("Looks for", self.positive, "Arms for which yes, a high rating or the chosen side is right"),
            ("Confidence", self.confidence, "Asked after 2afc and yes-no"),
            ("Scale", self.scale, "Of rating and grading"),
            ("Labels", self.labels, "Words for the steps of the scale, with commas"),
            ("Criteria", self.criteria, "Of grading, with commas"),
        ):
            self.lines.addWidget(Row(label, field, tip=tip))
        self.lines.addWidget(Row("", self.mark, self.optional))
        self.add_buttons(("Add or replace", "", self.put), ("Remove chosen", "", self.remove))
        self.show_study(study)

    def show_study(self, study: Study) -> None:
        """Show the questions."""
        super().show_study(study)
        fill(self.questions, [[q.name, q.kind, q.text] for q in study.questions])
        self.questions.resizeColumnsToContents()

    def question(self) -> Question:
        """Return what the form says; `SettingsError` for a scale that is none."""
        asked = self.confidence.currentText()
        return Question(
            plain_name(self.name.text()), self.kind.currentText(), self.text.text().strip(),
            positive=parts(self.positive.text()), scale=scale_of(self.scale.text()),
            labels=parts(self.labels.text()), criteria=parts(self.criteria.text()),
            confidence=None if asked == NONE else scale_of(asked),
            mark=self.mark.isChecked(), optional=self.optional.isChecked(),
        )  # fmt: skip

    def put(self) -> None:
        """Add or replace the question of the form."""
        self.change(lambda: with_question(self.study, self.question()))

    def remove(self) -> None:
        """Remove the chosen questions."""
        gone = {self.study.questions[row].name for row in chosen_rows(self.questions)}
        left = tuple(q for q in self.study.questions if q.name not in gone)
        self.change(lambda: replace(self.study, questions=left))

    def _on_chosen(self) -> None:
        rows = chosen_rows(self.questions)
        if len(rows) != 1 or rows[0] >= len(self.study.questions):
            return
        question = self.study.questions[rows[0]]
        for field, text in (
            (self.name, question.name), (self.text, question.text), (self.scale, scale_text(question.scale)),
            (self.positive, ", ".join(question.positive)), (self.labels, ", ".join(question.labels)),
            (self.criteria, ", ".join(question.criteria)),
        ):  # fmt: skip
            field.setText(text)
        self.kind.setCurrentText(question.kind)
        self.confidence.setCurrentText(scale_text(question.confidence) if question.confidence else NONE)
        self.mark.setChecked(question.mark)
        self.optional.setChecked(question.optional)
