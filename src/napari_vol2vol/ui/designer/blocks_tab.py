"""Blocks: which cases are shown how, with which questions."""

from __future__ import annotations

from dataclasses import replace

from qtpy.QtWidgets import QComboBox, QLineEdit, QSpinBox

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.study.design import Block, Study
from napari_vol2vol.ui.designer.draft import SHOWN, chosen_cases, items_of, plain_name, with_block
from napari_vol2vol.ui.designer.tab import Tab, chosen_rows, fill, parts, table
from napari_vol2vol.ui.row import Row


class BlocksTab(Tab):
    """A table of blocks; the form under it adds one or replaces the one of the same name."""

    def __init__(self, study: Study) -> None:
        super().__init__(study)
        self.blocks = table("name", "trials", "training", "repeats", "questions")
        self.blocks.itemSelectionChanged.connect(self._on_chosen)
        self.blocks.verticalHeader().hide()
        self.lines.addWidget(self.blocks, stretch=1)
        self.name, self.title, self.instructions = QLineEdit(), QLineEdit(), QLineEdit()
        self.arms, self.questions = QLineEdit(), QLineEdit()
        self.cases, self.training = QLineEdit("all"), QLineEdit()
        self.shown, self.repeats = QComboBox(), QSpinBox()
        self.shown.addItems(SHOWN)
        for label, field, tip in (
            ("Name", self.name, "For you; readers see the title"),
            ("Title", self.title, "What readers see: no name of a system"),
            ("Instructions", self.instructions, "Shown before the block"),
            ("Arms", self.arms, "With commas"),
            ("Shown", self.shown, "Arms of a case side by side, or one volume at a time"),
            ("Cases", self.cases, "Numbers of the table of cases, as 1-20, 25; or all"),
            ("Training", self.training, "Cases that come first with feedback; they are not analysed"),
            ("Questions", self.questions, "Names, with commas"),
            ("Repeats", self.repeats, "How many cases come a second time"),
        ):
            self.lines.addWidget(Row(label, field, tip=tip))
        self.add_buttons(("Add or replace", "", self.put), ("Remove chosen", "", self.remove))
        self.show_study(study)

    def show_study(self, study: Study) -> None:
        """Show the blocks."""
        super().show_study(study)
        rows = [
            [b.name, str(len(b.items)), str(len(b.training)), str(b.repeats), ", ".join(b.questions)]
            for b in study.blocks
        ]
        fill(self.blocks, rows)
        self.blocks.resizeColumnsToContents()

    def block(self) -> Block:
        """Return what the form says.

        Raises
        ------
        SettingsError
            If cases or arms are not of the study.
        """
        arms, shown = parts(self.arms.text()), self.shown.currentText()
        for arm in arms:
            self.study.arm(arm)
        if not arms:
            raise SettingsError("arms: found none, accepted are names of arms with commas")
        cases = chosen_cases(self.study, self.cases.text())
        training = chosen_cases(self.study, self.training.text()) if self.training.text().strip() else []
        return Block(
            plain_name(self.name.text()), items_of(cases, arms, shown), parts(self.questions.text()),
            title=self.title.text().strip(), instructions=self.instructions.text().strip(),
            training=items_of(training, arms, shown), repeats=self.repeats.value(),
        )  # fmt: skip

    def put(self) -> None:
        """Add or replace the block of the form."""
        self.change(lambda: with_block(self.study, self.block()))

    def remove(self) -> None:
        """Remove the chosen blocks."""
        gone = {self.study.blocks[row].name for row in chosen_rows(self.blocks)}
        left = tuple(b for b in self.study.blocks if b.name not in gone)
        self.change(lambda: replace(self.study, blocks=left))

    def _on_chosen(self) -> None:
        rows = chosen_rows(self.blocks)
        if len(rows) != 1 or rows[0] >= len(self.study.blocks):
            return
        block = self.study.blocks[rows[0]]
        self.name.setText(block.name)
        self.title.setText(block.title)
        self.instructions.setText(block.instructions)
        self.questions.setText(", ".join(block.questions))
        self.repeats.setValue(block.repeats)
        arms = dict.fromkeys(arm for item in block.items for arm in item.arms)
        self.arms.setText(", ".join(arms))
        single = all(len(item.arms) == 1 for item in block.items)
        twice = len({item.case for item in block.items}) < len(block.items)
        self.shown.setCurrentText(SHOWN[0] if not single else SHOWN[2] if twice else SHOWN[1])
        numbers = {case.name: number for number, case in enumerate(self.study.cases, 1)}
        for field, items in ((self.cases, block.items), (self.training, block.training)):
            field.setText(ranges(sorted({numbers[item.case] for item in items if item.case in numbers})))


def ranges(numbers: list[int]) -> str:
    """Return sorted numbers as they are typed: ``1-20, 25``."""
    found: list[list[int]] = []
    for number in numbers:
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in found)
