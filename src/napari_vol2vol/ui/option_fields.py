"""Fields made from what settings say of themselves (`napari_vol2vol.options`): range, default, words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QLineEdit,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_vol2vol.options import AUTO, Option, Value
from napari_vol2vol.ui.row import Row

#: Widest range of fields whose option has none.
LARGEST = 10**9
DECIMALS = 5


class RealField(QDoubleSpinBox):
    """A field for a number that shows no more digits than the number has."""

    def textFromValue(self, value: float) -> str:  # noqa: N802
        """Return the number without zeros at its end."""
        return f"{value:.{DECIMALS}f}".rstrip("0").rstrip(".") or "0"


class OptionField(QWidget):
    """The editor of one option, with a box *auto* where it may be left open."""

    changed = Signal()

    def __init__(self, option: Option) -> None:
        super().__init__()
        self.option = option
        self.editor, self._read, write = editor_of(option, self.changed.emit)
        self.auto = QCheckBox(AUTO) if option.optional else None
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(4)
        line.addWidget(self.editor, stretch=1)
        if option.default is not None:
            write(option.default)
        if self.auto is not None:
            line.addWidget(self.auto)
            self.auto.setChecked(option.default is None)
            self.auto.toggled.connect(self._on_auto)
            self._on_auto(self.auto.isChecked())

    def value(self) -> Value:
        """Return what is set, None for *auto*."""
        return None if self.auto is not None and self.auto.isChecked() else self._read()

    def _on_auto(self, on: bool) -> None:
        self.editor.setEnabled(not on)
        self.changed.emit()


class OptionFields(QWidget):
    """One row an option; values stay while the options do. ``changed`` is emitted when any value changes."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.fields: dict[str, OptionField] = {}
        self._options: tuple[Option, ...] = ()
        self._rows: list[Row] = []
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(4)

    def ask_for(self, options: Sequence[Option]) -> None:
        """Offer these options; nothing happens where they are offered already."""
        if tuple(options) == self._options:
            return
        kept = {o.name: f.value() for o, f in zip(self._options, self.fields.values(), strict=True)}
        before = {o.name: o for o in self._options}
        for row in self._rows:
            self._layout.removeWidget(row)
            row.hide()
            row.deleteLater()
        self._options, self.fields, self._rows = tuple(options), {}, []
        for option in self._options:
            same = before.get(option.name) == option and kept.get(option.name) is not None
            field = OptionField(option)
            if same:
                editor_write(field.editor, kept[option.name])
            field.changed.connect(self.changed)
            tip = f"{option.words} ({option.accepted})"
            row = Row(option.label, field, tip=tip)
            self.fields[option.name] = field
            self._rows.append(row)
            self._layout.addWidget(row)

    def values(self) -> dict[str, Value]:
        """Return the value of every option."""
        return {name: field.value() for name, field in self.fields.items()}

    @property
    def empty(self) -> bool:
        """Whether there is nothing to set."""
        return not self._options


def editor_of(
    option: Option, changed: Callable[[], None]
) -> tuple[QWidget, Callable[[], Value], Callable[[Any], None]]:
    """Return the widget that edits an option, and what reads and writes its value."""
    if option.choices:
        box = QComboBox()
        box.addItems(option.choices)
        box.currentTextChanged.connect(lambda text: changed())
        return box, box.currentText, box.setCurrentText
    if option.kind is bool:
        tick = QCheckBox()
        tick.toggled.connect(lambda on: changed())
        return tick, tick.isChecked, tick.setChecked
    if option.kind is str:
        line = QLineEdit()
        line.editingFinished.connect(changed)
        return line, line.text, line.setText
    low = -LARGEST if option.low is None else option.low
    high = LARGEST if option.high is None else option.high
    spin: QSpinBox | QDoubleSpinBox
    if option.kind is int:
        spin = QSpinBox()
        spin.setRange(int(low), int(min(high, 2**31 - 1)))
    else:
        spin = RealField()
        spin.setDecimals(DECIMALS)
        spin.setRange(low, high)
    spin.setStepType(QAbstractSpinBox.StepType.AdaptiveDecimalStepType)
    spin.setSuffix(f" {option.unit}" if option.unit else "")
    spin.setKeyboardTracking(False)
    spin.valueChanged.connect(lambda value: changed())
    return spin, spin.value, spin.setValue


def editor_write(editor: QWidget, value: Any) -> None:
    """Set the value of a widget that `editor_of` made."""
    if isinstance(editor, QComboBox):
        editor.setCurrentText(value)
    elif isinstance(editor, QCheckBox):
        editor.setChecked(value)
    elif isinstance(editor, QLineEdit):
        editor.setText(value)
    elif isinstance(editor, QSpinBox | QDoubleSpinBox):
        editor.setValue(value)
