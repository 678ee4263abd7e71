"""Write files so that they are there completely or not at all."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO

from napari_vol2vol.errors import VolumeError

Fill = Callable[[BinaryIO], None]


def write_files(files: Mapping[Path, Fill], *, overwrite: bool) -> None:
    """Fill every file under a temporary name in its folder, flush it to disk, then rename all of them.

    On any failure (a full disk, a cancel) the temporary files are removed and existing files stay as they
    were.

    Raises
    ------
    VolumeError
        Where a file exists and ``overwrite`` is False, or the folder cannot be written to.
    """
    _refuse_existing(files, overwrite)
    temporary = {path: path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.partial") for path in files}
    try:
        for path, fill in files.items():
            with temporary[path].open("xb") as stream:
                fill(stream)
                stream.flush()
                os.fsync(stream.fileno())
        _refuse_existing(files, overwrite)
        for path, written in temporary.items():
            os.replace(written, path)
    except OSError as error:
        first = next(iter(files))
        raise VolumeError(f"{first}: could not be written, what was there is untouched: {error}") from error
    finally:
        for written in temporary.values():
            written.unlink(missing_ok=True)


def _refuse_existing(files: Mapping[Path, Fill], overwrite: bool) -> None:
    existing = [str(path) for path in files if path.exists()]
    if existing and not overwrite:
        raise VolumeError(
            f"{', '.join(existing)}: found an existing file, accepted is a new name or overwrite=True"
        )
