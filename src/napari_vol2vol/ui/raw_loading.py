"""Read a sinogram or k-space: ask for the file and what it does not say, read it off the main thread."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QDialog, QDialogButtonBox, QFileDialog, QVBoxLayout, QWidget
from superqt.utils import create_worker

from napari_vol2vol.errors import Vol2VolError
from napari_vol2vol.options import from_options, options_of
from napari_vol2vol.ui.option_fields import OptionFields
from napari_vol2vol.ui.row import note

PATTERN = "Measurements (*.npy *.npz *.h5 *.hdf5)"


class RawLoading(QObject):
    """``loaded`` carries the source volume and the pictures of its measurement, ``failed`` one sentence."""

    loaded = Signal(object, object)
    failed = Signal(str)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._parent = parent

    def ask(self, task: Any) -> None:
        """Ask for a file and its settings, then read it."""
        name, _ = QFileDialog.getOpenFileName(self._parent, "Load a measurement", "", PATTERN)
        if not name:
            return
        dialog = LoadingDialog(task, Path(name), self._parent)
        if dialog.exec():
            self.read(task, Path(name), dialog.fields.values())

    def read(self, task: Any, path: Path, settings: dict[str, Any]) -> None:
        """Read a file in a worker thread."""
        worker = create_worker(read_measurement, task, path, settings, _ignore_errors=True)
        worker.returned.connect(self._on_read)
        worker.start()

    def _on_read(self, found: Any) -> None:
        if isinstance(found, str):
            self.failed.emit(found)
        else:
            self.loaded.emit(*found)


class LoadingDialog(QDialog):
    """What a file does not say of itself: angles, spacing, noise."""

    def __init__(self, task: Any, path: Path, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(f"{task.title}: {path.name}")
        self.fields = OptionFields()
        self.fields.ask_for(options_of(task.loading))
        kinds = QDialogButtonBox.StandardButton
        buttons = QDialogButtonBox(kinds.Ok | kinds.Cancel)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(note("What the file says of itself wins over what is set here."))
        layout.addWidget(self.fields)
        layout.addWidget(buttons)


def read_measurement(task: Any, path: Path, settings: dict[str, Any]) -> Any:
    """Return (source, pictures), or the sentence that says why there is none (worker thread)."""
    try:
        source = task.load(path, from_options(task.loading, settings))
        return source, task.pictures(source)
    except Vol2VolError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 (shown in the dock)
        return f"{path.name}: {type(error).__name__}: {error}"
