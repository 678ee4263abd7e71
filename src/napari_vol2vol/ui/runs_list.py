"""The runs of this session: what they were, their layers, their folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, QUrl, Signal
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QHBoxLayout, QListWidget, QListWidgetItem, QPushButton, QVBoxLayout, QWidget

from napari_vol2vol.ui.export_button import ExportButton
from napari_vol2vol.ui.row import note

if TYPE_CHECKING:
    from napari_vol2vol.ui.result_layers import ResultLayers


@dataclass
class RunEntry:
    """One run: its line in the list, its layers and its folder."""

    title: str
    layers: ResultLayers
    folder: Path | None = None
    outcome: str = "running"

    @property
    def text(self) -> str:
        """Return the line that stands in the list."""
        return f"{self.title} · {self.outcome}"


class RunsList(QWidget):
    """Shows the layers of a run alone among the runs, opens its folder, removes it.

    ``open_asked`` wants a run of an earlier session back from its folder. ``export`` saves pictures of one.
    """

    open_asked = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.entries: list[RunEntry] = []
        self.list = QListWidget()
        self.list.setMaximumHeight(92)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.show_button, self.folder_button = QPushButton("Show"), QPushButton("Folder")
        self.remove_button, self.open_button = QPushButton("Remove"), QPushButton("Open …")
        self.export = ExportButton(lambda: self.current.folder if self.current else None)
        self.open_button.setToolTip("Bring a run back from its folder, also from an earlier session")
        self.show_button.setToolTip("Show the layers of this run and hide those of the others")
        self.folder_button.setToolTip("Open the folder in which this run was saved")
        self.remove_button.setToolTip("Remove the layers of this run; its folder stays")
        buttons = QHBoxLayout()
        for button in (self.show_button, self.folder_button, self.remove_button, self.open_button):
            buttons.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(note("Runs"))
        layout.addWidget(self.list)
        layout.addLayout(buttons)
        layout.addWidget(self.export)
        self.show_button.clicked.connect(self.show_current)
        self.folder_button.clicked.connect(self.open_folder)
        self.remove_button.clicked.connect(self.remove_current)
        self.open_button.clicked.connect(self.open_asked)
        self.list.currentRowChanged.connect(self.refresh)
        self.refresh()

    @property
    def current(self) -> RunEntry | None:
        """The chosen run."""
        row = self.list.currentRow()
        return self.entries[row] if 0 <= row < len(self.entries) else None

    def add(self, entry: RunEntry) -> None:
        """Add a run and choose it."""
        self.entries.append(entry)
        self.list.addItem(QListWidgetItem(entry.text))
        self.list.setCurrentRow(len(self.entries) - 1)
        self.refresh()

    def refresh(self, row: int = 0) -> None:
        """Take texts and buttons from the entries anew."""
        for index, entry in enumerate(self.entries):
            self.list.item(index).setText(entry.text)
            self.list.item(index).setToolTip(entry.text + (f"\n{entry.folder}" if entry.folder else ""))
        entry = self.current
        for widget in (self.list, self.show_button, self.folder_button, self.remove_button, self.export):
            widget.setVisible(bool(self.entries))
        self.folder_button.setEnabled(
            entry is not None and entry.folder is not None and entry.folder.is_dir()
        )
        self.export.setEnabled(self.folder_button.isEnabled() and entry.outcome != "running")
        self.remove_button.setEnabled(entry is not None and entry.outcome != "running")

    def show_current(self) -> None:
        """Show the x̂0 of the chosen run and hide the layers of all others."""
        for entry in self.entries:
            for layer in entry.layers.layers:
                layer.visible = entry is self.current and layer.metadata.get("vol2vol_result") == "x0"

    def open_folder(self) -> None:
        """Open the run folder in the file manager."""
        if self.current is not None and self.current.folder is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self.current.folder)))

    def remove_current(self) -> None:
        """Remove the layers of the chosen run; its folder stays on disk."""
        entry = self.current
        if entry is not None:
            row = self.entries.index(entry)
            self.entries.pop(row)
            self.list.takeItem(row)
            entry.layers.remove()
            self.refresh()
