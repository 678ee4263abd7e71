"""A run from its folder, also after a restart: its volumes as the layers they were."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QFileDialog, QWidget
from superqt.utils import create_worker

from napari_vol2vol.errors import Vol2VolError, VolumeError
from napari_vol2vol.ui import settings
from napari_vol2vol.ui.result_layers import ResultLayers
from napari_vol2vol.ui.runs_list import RunEntry

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_vol2vol.volume import Volume

#: File in a run folder -> kind of layer.
FILES = {
    "mean.nii.gz": "mean",
    "uncertainty.nii.gz": "uncertainty",
    "error.nii.gz": "error",
    "fixed-prior.nii.gz": "fixed prior",
}


def read_run(folder: Path) -> tuple[dict[str, Any], dict[str, Volume]]:
    """Return the record of a run and its volumes by kind; the newest sample is its x̂0 (any thread).

    Raises
    ------
    VolumeError
        If the folder holds no run, or no sample of it was finished.
    """
    from napari_vol2vol.io import read_volume

    try:
        record = json.loads((folder / "run.json").read_text())
    except (OSError, json.JSONDecodeError) as error:
        raise VolumeError(f"{folder.name}: found no run here (run.json: {error})") from error
    samples = sorted(folder.glob("sample-*.nii.gz"))
    if not samples:
        raise VolumeError(f"{folder.name}: no sample of this run was finished")
    volumes = {"x0": read_volume(samples[-1])}
    for name, kind in FILES.items():
        if (folder / name).is_file():
            volumes[kind] = read_volume(folder / name)
    return record, volumes


def show_run(
    viewer: ViewerModel, folder: Path, record: dict[str, Any], volumes: dict[str, Volume]
) -> RunEntry:
    """Add the layers of a run that was read, and return its entry for the list (main thread)."""
    request = record.get("settings") or record.get("request") or {}
    system = str(record.get("system") or request.get("system") or "run")
    inputs = record.get("inputs") or [{}]
    named = volumes["x0"].with_data(volumes["x0"].data, name=str(inputs[0].get("name") or folder.name))
    layers = ResultLayers(viewer, named, system, [])
    layers.show_volumes(volumes)
    return RunEntry(f"{folder.name} · {system}", layers, folder, str(record.get("state", "")))


class RunOpening(QObject):
    """Brings runs back: ``opened`` carries the entry, ``failed`` one sentence."""

    opened = Signal(object)
    failed = Signal(str)

    def __init__(self, viewer: ViewerModel, parent: QWidget) -> None:
        super().__init__(parent)
        self._viewer, self._parent = viewer, parent

    def ask(self) -> None:
        """Ask for the folder, then open it."""
        chosen = QFileDialog.getExistingDirectory(self._parent, "A run folder", str(settings.run_folder()))
        if chosen:
            self.open(Path(chosen))

    def open(self, folder: Path) -> None:
        """Read a run in a worker thread and show it."""
        worker = create_worker(partial(_read_or_say, folder), _ignore_errors=True)
        worker.returned.connect(partial(self._on_read, folder))
        worker.start()

    def _on_read(self, folder: Path, found: Any) -> None:
        if isinstance(found, str):
            self.failed.emit(found)
        else:
            self.opened.emit(show_run(self._viewer, folder, *found))


def _read_or_say(folder: Path) -> Any:
    try:
        return read_run(folder)
    except Vol2VolError as error:
        return str(error)
