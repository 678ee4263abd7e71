"""From a run folder to a file, whose name says what it is: picture, film, curves or page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.evaluation.run_exports import ExportSettings, csv_of, gif_of, mp4_of, png_of
from napari_vol2vol.evaluation.run_folder import RunOnDisk, open_run
from napari_vol2vol.evaluation.run_page import page_of
from napari_vol2vol.io.atomic import write_files

#: End of the name -> (what it is, what makes it).
FORMATS: dict[str, tuple[str, Callable[[RunOnDisk, ExportSettings], bytes]]] = {
    ".png": ("three views of a volume", png_of),
    ".gif": ("film of a recorded run", gif_of),
    ".mp4": ("film of a recorded run", mp4_of),
    ".csv": ("curves of a recorded run", lambda run, settings: csv_of(run)),
    ".html": ("report of the run on one page", page_of),
}


def export_run(
    folder: Path, output: Path, settings: ExportSettings | None = None, *, overwrite: bool = False
) -> Path:
    """Write what the name of ``output`` says, completely or not at all, and return its path.

    Raises
    ------
    SettingsError, VolumeError
        If the name, a setting, the run or the folder to write to is not as accepted.
    """
    suffix = output.suffix.lower()
    if suffix not in FORMATS:
        accepted = ", ".join(f"{end} ({what})" for end, (what, _) in FORMATS.items())
        raise SettingsError(f"output: found {output.name}, accepted are names that end in {accepted}")
    if output.exists() and not overwrite:
        raise SettingsError(f"output: {output} exists already; choose another name or say overwrite")
    if not output.parent.is_dir():
        raise SettingsError(f"output: folder {output.parent} does not exist")
    content = FORMATS[suffix][1](open_run(folder), settings or ExportSettings())

    def fill(stream: BinaryIO) -> None:
        stream.write(content)

    write_files({output: fill}, overwrite=overwrite)
    return output
