"""Files to volumes and back: NIfTI, DICOM series, and the record of where a volume came from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_vol2vol.errors import VolumeError
from napari_vol2vol.volume import Volume

__all__ = ["read_volume", "write_volume"]


def read_volume(path: Path | str) -> Volume:
    """Read a NIfTI file, a folder with one DICOM series, or the series that a single DICOM file belongs to.

    Raises
    ------
    VolumeError
        Names the file or field, what was found and what is accepted.
    """
    path = Path(path).expanduser()
    if not path.exists():
        raise VolumeError(f"{path}: found no such file or folder, accepted are .nii, .nii.gz and DICOM")
    if not os.access(path, os.R_OK):
        raise VolumeError(f"{path}: found no permission to read it, accepted is a readable file or folder")
    from napari_vol2vol.io.nifti import is_nifti_name, read_nifti

    if path.is_file() and is_nifti_name(path):
        return read_nifti(path)
    from napari_vol2vol.io.dicom import is_dicom, read_dicom

    if path.is_dir() or is_dicom(path):
        return read_dicom(path)
    raise VolumeError(f"{path}: found the extension {path.suffix!r}, accepted are .nii, .nii.gz and DICOM")


def write_volume(
    volume: Volume, path: Path | str, *, overwrite: bool = False, record: Mapping[str, Any] | None = None
) -> list[Path]:
    """Write a volume as ``.nii`` or ``.nii.gz`` with its provenance beside it; see `write_nifti`."""
    from napari_vol2vol.io.nifti_write import write_nifti

    return write_nifti(volume, Path(path).expanduser(), overwrite=overwrite, record=record)
