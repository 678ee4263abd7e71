"""One line of a form: a label, its field, and room for the reason why it is greyed."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget
from superqt import QCollapsible

NUMBER_WIDTH = 16
LABEL_WIDTH = 82
DIM = "color: #9aa1ab;"


def note(text: str = "", style: str = DIM) -> QLabel:
    """Return a small label that wraps."""
    label = QLabel(text)
    label.setWordWrap(True)
    label.setStyleSheet(f"{style} font-size: 11px;")
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label


class Row(QWidget):
    """``1 label  [field]``, with a reason under it while the field is greyed; the number may be missing."""

    def __init__(self, label: str, *fields: QWidget, number: str = "", tip: str = "") -> None:
        super().__init__()
        self.fields = fields
        caption = QLabel(label)
        caption.setFixedWidth(LABEL_WIDTH)
        step = QLabel(number)
        step.setFixedWidth(NUMBER_WIDTH)
        step.setStyleSheet("font-weight: bold;")
        caption.setToolTip(tip)
        line = QHBoxLayout()
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(4)
        line.addWidget(step)
        line.addWidget(caption)
        for field in fields:
            field.setToolTip(tip or field.toolTip())
            field.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
            line.addWidget(field, stretch=1)
        self._reason = note()
        self._reason.setContentsMargins(NUMBER_WIDTH + LABEL_WIDTH + 8, 0, 0, 0)
        self._reason.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(1)
        layout.addLayout(line)
        layout.addWidget(self._reason)

    @property
    def reason(self) -> str:
        """Why the field is greyed, empty where it is not."""
        return self._reason.text()

    def allow(self, reason: str = "") -> None:
        """Grey the field and say why; with no reason, give it back."""
        for field in self.fields:
            field.setEnabled(not reason)
        self._reason.setText(reason)
        self._reason.setVisible(bool(reason))


def section(title: str, content: QWidget) -> QCollapsible:
    """Return a folded section that opens without animation and keeps the margins of the form."""
    folded = QCollapsible(title, expandedIcon="▼", collapsedIcon="▶")
    folded.setDuration(0)
    folded.layout().setContentsMargins(0, 0, 0, 0)
    folded.content().layout().setContentsMargins(0, 4, 0, 2)
    folded.addWidget(content)
    return folded
