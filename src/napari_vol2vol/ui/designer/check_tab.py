"""What is wrong, what leaks, and how copies are made alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QCheckBox, QLabel, QLineEdit

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.study.audit import Finding
from napari_vol2vol.study.design import Harmonise, Study
from napari_vol2vol.ui.designer.tab import Tab, fill, parts, table
from napari_vol2vol.ui.row import Row, note

RED, GREEN = QColor("#ff6b6b"), QColor("#7bd88f")
OF_FILES, OF_COPIES = "Leaks in the files as they came", "Leaks in the blinded copies"


class CheckTab(Tab):
    """Problems and the table of leaks, red where arms differ; the dock does the work."""

    check_asked = Signal()

    def __init__(self, study: Study) -> None:
        super().__init__(study)
        self.add_buttons(("Check and look for leaks", "Reads all volumes", self.check_asked.emit))
        self.problems = note()
        self.lines.addWidget(self.problems)
        self.title = QLabel(OF_FILES)
        self.lines.addWidget(self.title)
        self.leaks = table("leak", "finding")
        self.leaks.verticalHeader().hide()
        self.lines.addWidget(self.leaks, stretch=1)
        self.alike, self.mask = QCheckBox("make copies alike"), QCheckBox("blank the air")
        self.alike.setChecked(True)
        self.alike.setToolTip("One grid, one range of values, whole numbers, one header in all arms")
        self.spacing, self.shape = QLineEdit(), QLineEdit()
        self.spacing.setPlaceholderText("that of the first arm")
        self.shape.setPlaceholderText("what all arms show")
        self.accept = QCheckBox("freeze although copies leak")
        self.accept.setToolTip("The report says so")
        tip = "Everything outside the bodies of all arms gets the lowest value"
        self.lines.addWidget(Row("Harmonise", self.alike, self.mask, tip=tip))
        self.lines.addWidget(Row("Spacing", self.spacing, tip="z, y, x in mm"))
        self.lines.addWidget(Row("Shape", self.shape, tip="z, y, x in voxels"))
        self.lines.addWidget(Row("", self.accept))
        self.mask.clicked.connect(self.take_over)
        for field in (self.spacing, self.shape):
            field.editingFinished.connect(self.take_over)
        self.show_study(study)

    def show_study(self, study: Study) -> None:
        """Show how copies are made alike."""
        super().show_study(study)
        how = study.harmonise
        for field, numbers in ((self.spacing, how.spacing_mm), (self.shape, how.shape)):
            with QSignalBlocker(field):
                field.setText(", ".join(f"{n:g}" for n in numbers or ()))
        with QSignalBlocker(self.mask):
            self.mask.setChecked(how.body_mask)

    def take_over(self) -> None:
        """Take the fields over where one changed."""
        before = self.study
        self.change(lambda: replace(before, harmonise=self._harmonise()))

    def show_problems(self, problems: Sequence[str]) -> None:
        """Show what is wrong, or that nothing is."""
        self.problems.setText("\n".join(f"• {p}" for p in problems) or "No problems.")
        self.problems.setStyleSheet(f"color: {(RED if problems else GREEN).name()}; font-size: 11px;")

    def show_leaks(self, findings: Sequence[Finding], title: str) -> None:
        """Show the table of leaks; what each arm shows is in the tooltips."""
        count = sum(finding.red for finding in findings)
        self.title.setText(f"{title}: {count} red" if findings else title)
        fill(self.leaks, [[f.leak, f.words] for f in findings])
        for row, finding in enumerate(findings):
            by_arm = "\n".join(f"{arm}: {words}" for arm, words in finding.by_arm.items())
            for column in (0, 1):
                item = self.leaks.item(row, column)
                item.setForeground(RED if finding.red else GREEN)
                item.setToolTip(f"{finding.words}\n{by_arm}".strip())
        self.leaks.resizeColumnToContents(0)
        self.leaks.resizeRowsToContents()

    def _harmonise(self) -> Harmonise:
        spacing = _three(self.spacing.text(), float, "spacing")
        shape = _three(self.shape.text(), int, "shape")
        how = self.study.harmonise
        return replace(how, spacing_mm=spacing, shape=shape, body_mask=self.mask.isChecked())


def _three(text: str, kind: type, what: str) -> tuple | None:
    if not text.strip():
        return None
    try:
        found = tuple(kind(part) for part in parts(text))
    except ValueError:
        found = ()
    if len(found) != 3 or min(found) <= 0:
        raise SettingsError(f"{what}: found {text!r}, accepted are three positive numbers z, y, x")
    return found
