"""What the tabs of the designer share."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_vol2vol.errors import Vol2VolError
from napari_vol2vol.study.design import Study


class Tab(QWidget):
    """One tab: shows a study; ``edited`` carries the changed one, ``refused`` why it was not changed."""

    edited = Signal(object)
    refused = Signal(str)

    def __init__(self, study: Study) -> None:
        super().__init__()
        self.study = study
        self.lines = QVBoxLayout(self)
        self.lines.setContentsMargins(2, 6, 2, 2)
        self.lines.setSpacing(4)

    def show_study(self, study: Study) -> None:
        """Show a study."""
        self.study = study

    def change(self, make: Callable[[], Study]) -> bool:
        """Make a change and tell it; a mistake is told instead."""
        try:
            changed = make()
        except (Vol2VolError, ValueError, OSError) as error:
            self.refused.emit(str(error))
            return False
        self.edited.emit(changed)
        return True

    def add_buttons(self, *buttons: tuple[str, str, Callable[[], object]]) -> list[QPushButton]:
        """Add a line of buttons: text, tip, what they do."""
        line, made = QHBoxLayout(), []
        line.setSpacing(4)
        for text, tip, action in buttons:
            button = QPushButton(text)
            button.setToolTip(tip)
            button.clicked.connect(lambda checked=False, act=action: act())
            line.addWidget(button)
            made.append(button)
        self.lines.addLayout(line)
        return made


def table(*head: str) -> QTableWidget:
    """Return a table that is looked at, chosen by rows."""
    made = QTableWidget(0, len(head))
    made.setHorizontalHeaderLabels(head)
    made.verticalHeader().setDefaultSectionSize(22)
    made.horizontalHeader().setStretchLastSection(True)
    made.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    made.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    made.setMinimumHeight(110)
    return made


def fill(view: QTableWidget, rows: Sequence[Sequence[str]]) -> None:
    """Show these rows."""
    view.setRowCount(len(rows))
    for place, row in enumerate(rows):
        for column, text in enumerate(row):
            item = QTableWidgetItem(text)
            item.setToolTip(text)
            view.setItem(place, column, item)


def chosen_rows(view: QTableWidget) -> list[int]:
    """Return the chosen rows."""
    return sorted({index.row() for index in view.selectionModel().selectedRows()})


def parts(text: str) -> tuple[str, ...]:
    """Return the parts of a list with commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip())
