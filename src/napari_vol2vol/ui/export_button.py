"""A button that exports a run: picture, film, curves or report, made in a worker thread."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QMenu, QPushButton, QWidget
from superqt.utils import create_worker

from napari_vol2vol.errors import Vol2VolError
from napari_vol2vol.ui import settings

#: What stands in the menu -> end of the file's name. A film and curves need a recorded run.
OFFERED = {
    "Picture of three views …": ".png",
    "Film of the steps (GIF) …": ".gif",
    "Film of the steps (MP4) …": ".mp4",
    "Curves (CSV) …": ".csv",
    "Report on one page (HTML) …": ".html",
}


class ExportButton(QPushButton):
    """``said`` carries one line: where the file is, or why there is none.

    Parameters
    ----------
    folder : callable
        Returns the run folder to export, None where there is none.
    chosen : callable, optional
        Returns fields of `evaluation.run_exports.ExportSettings` that the dock around it has chosen.
    """

    said = Signal(str)

    def __init__(
        self,
        folder: Callable[[], Path | None],
        chosen: Callable[[], dict[str, Any]] = dict,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__("Export …", parent)
        self._folder, self._chosen = folder, chosen
        self.setToolTip("Save pictures, a film, curves or a report of this run; all say what generated them")
        menu = QMenu(self)
        for words, suffix in OFFERED.items():
            menu.addAction(words, partial(self._ask, suffix))
        self.setMenu(menu)

    def export(self, output: Path) -> None:
        """Write a file; its name says what it is."""
        folder = self._folder()
        if folder is None:
            self.said.emit("Export: choose a run first")
            return
        self.setEnabled(False)
        self.said.emit(f"writing {output.name} …")
        values = {"convention": settings.convention(), **self._chosen()}
        worker = create_worker(exported, folder, output, values, _ignore_errors=True)
        worker.returned.connect(self._on_written)
        worker.start()

    def _ask(self, suffix: str) -> None:
        folder = self._folder()
        if folder is None:
            self.said.emit("Export: choose a run first")
            return
        start = str(Path.home() / f"{folder.name}{suffix}")
        chosen, _ = QFileDialog.getSaveFileName(self, "Export", start, f"*{suffix}")
        if chosen:
            self.export(Path(chosen if chosen.lower().endswith(suffix) else chosen + suffix))

    def _on_written(self, text: str) -> None:
        self.setEnabled(True)
        self.said.emit(text)


def exported(folder: Path, output: Path, values: dict[str, Any]) -> str:
    """Write the file and say where it is, or why not (worker thread); the user was asked to overwrite."""
    from napari_vol2vol.evaluation.export import export_run
    from napari_vol2vol.evaluation.run_exports import ExportSettings

    try:
        path = export_run(folder, output, ExportSettings(**values), overwrite=True)
    except Vol2VolError as error:
        return f"Export: {error}"
    return f"wrote {path}"
