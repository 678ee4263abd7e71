"""A scale of whole numbers: buttons where one key is enough, typed digits and a slider where it is not."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSlider, QWidget

ENTER = (Qt.Key.Key_Return, Qt.Key.Key_Enter)


def digit_of(key: int) -> int | None:
    """Return the digit of a key."""
    return key - Qt.Key.Key_0 if Qt.Key.Key_0 <= key <= Qt.Key.Key_9 else None


def answer_button(text: str, *, checkable: bool = True) -> QPushButton:
    """Return a button that leaves the keyboard to the window."""
    button = QPushButton(text)
    button.setCheckable(checkable)
    button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    return button


class ScaleRow(QWidget):
    """``value`` is what is chosen, ``picked`` tells it: at once where one key is enough, else with Enter."""

    picked = Signal(int)

    def __init__(self, scale: tuple[int, int], labels: Sequence[str] = (), caption: str = "") -> None:
        super().__init__()
        self.low, self.high = scale
        self.value: int | None = None
        self.single = self.low >= 0 and self.high <= 9
        self._typed = ""
        self.buttons: dict[int, QPushButton] = {}
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(6)
        self.caption = QLabel(caption)
        if caption:
            line.addWidget(self.caption)
        if self.single:
            self._add_buttons(line, labels)
        else:
            self._add_slider(line)

    def _add_buttons(self, line: QHBoxLayout, labels: Sequence[str]) -> None:
        words = labels or [""] * (self.high - self.low + 1)
        for number, word in zip(range(self.low, self.high + 1), words, strict=True):
            button = answer_button(f"{number}  {word}".strip())
            button.clicked.connect(partial(self._pick, number))
            self.buttons[number] = button
            line.addWidget(button)

    def _add_slider(self, line: QHBoxLayout) -> None:
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(self.low, self.high)
        self.slider.setMinimumWidth(300)
        self.slider.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.slider.sliderMoved.connect(self._slide)
        self.number = QLabel()
        self.number.setMinimumWidth(180)
        done = answer_button("OK  (Enter)", checkable=False)
        done.clicked.connect(self._enter)
        for widget in (QLabel(str(self.low)), self.slider, QLabel(str(self.high)), self.number, done):
            line.addWidget(widget)
        self._show()

    def key(self, key: int) -> bool:
        """Take a key; return whether it was one for this scale."""
        digit = digit_of(key)
        if self.single:
            if digit is None or digit not in self.buttons:
                return False
            self._pick(digit)
            return True
        if key in ENTER:
            self._enter()
        elif key == Qt.Key.Key_Backspace:
            self._type(self._typed[:-1])
        elif key == Qt.Key.Key_Minus and not self._typed and self.low < 0:
            self._type("-")
        elif digit is not None:
            self._type(self._typed + str(digit))
        else:
            return False
        return True

    def _type(self, text: str) -> None:
        value = int(text) if text.strip("-") else None
        if value is not None and (len(text) > 10 or value > self.high or (value < self.low and self.low < 0)):
            return
        self._typed = text
        self.value = value if value is not None and value >= self.low else None
        self._show()

    def _slide(self, value: int) -> None:
        self._typed, self.value = "", value
        self._show()

    def _enter(self) -> None:
        if self.value is not None:
            self.picked.emit(self.value)

    def _pick(self, number: int, checked: bool = True) -> None:
        self.value = number
        for other, button in self.buttons.items():
            button.setChecked(other == number)
        self.picked.emit(number)

    def _show(self) -> None:
        self.number.setText(self._typed or (f"type {self.low} to {self.high}" if self.value is None else ""))
        if self.value is not None:
            self.number.setText(str(self.value))
            self.slider.setValue(self.value)
