"""Which inner arrays of a run are shown as layers while it samples: x_t, each plane's estimate, w, R."""

from __future__ import annotations

from collections.abc import Iterable

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from napari_vol2vol.ui.row import note

#: What the names of taps mean.
WORDS = {
    "x_t": "x_t: the noisy variable that is denoised",
    "data residual": "Aᵀ(A x̂0 - y): where the estimate disobeys the measurement",
    "w": "w: how much more than its share the first plane is trusted",
    "R": "R: what the 3D network adds to the average",
    "axial": "x̂0 of the axial model alone",
    "coronal": "x̂0 of the coronal model alone",
    "sagittal": "x̂0 of the sagittal model alone",
    "LMI axial": "LMI: how much the source says of x_t, axial slices",
    "LMI coronal": "LMI: how much the source says of x_t, coronal slices",
    "LMI sagittal": "LMI: how much the source says of x_t, sagittal slices",
}
#: Shown as layers of their own anyway.
OWN_LAYERS = ("fixed prior",)


class TapFields(QWidget):
    """Names appear when a run has them and stay ticked from run to run."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.list = QListWidget()
        self.list.setMaximumHeight(110)
        self._hint = note("appears while a run is going")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._hint)
        layout.addWidget(self.list)
        self.list.setVisible(False)
        self.list.itemChanged.connect(lambda item: self.changed.emit())

    def offer(self, names: Iterable[str]) -> None:
        """Add names that are new."""
        known = {self.list.item(i).data(Qt.ItemDataRole.UserRole) for i in range(self.list.count())}
        for name in names:
            if name not in known and name not in OWN_LAYERS:
                item = QListWidgetItem(WORDS.get(name, name))
                item.setData(Qt.ItemDataRole.UserRole, name)
                item.setCheckState(Qt.CheckState.Unchecked)
                self.list.addItem(item)
        self.list.setVisible(self.list.count() > 0)
        self._hint.setVisible(self.list.count() == 0)

    def chosen(self) -> set[str]:
        """Return the names that are ticked."""
        items = [self.list.item(i) for i in range(self.list.count())]
        return {
            item.data(Qt.ItemDataRole.UserRole)
            for item in items
            if item.checkState() == Qt.CheckState.Checked
        }

    def choose(self, name: str, on: bool = True) -> None:
        """Tick a name that was offered."""
        for i in range(self.list.count()):
            if self.list.item(i).data(Qt.ItemDataRole.UserRole) == name:
                self.list.item(i).setCheckState(Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)
