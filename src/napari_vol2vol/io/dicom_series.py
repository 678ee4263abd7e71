"""Find the one image series in a folder, or the series that a file belongs to."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import pydicom
from pydicom.errors import InvalidDicomError

from napari_vol2vol.errors import VolumeError

MODALITIES = ("CT", "MR")
_LISTED = 12


def is_dicom(path: Path) -> bool:
    """Whether a file starts as DICOM files do, or is named ``.dcm``."""
    try:
        with path.open("rb") as stream:
            return stream.read(132)[128:] == b"DICM" or path.suffix.lower() == ".dcm"
    except OSError:
        return path.suffix.lower() == ".dcm"


def find_series(path: Path) -> list[tuple[Path, Any]]:
    """Return the files and data sets (without pixels) of one CT or MR image series.

    For a folder it is the only image series below it; structure sets, segmentations, reports and files that
    are not DICOM are passed over. For a file it is the series of that file in its folder.

    Raises
    ------
    VolumeError
        Where there is no image series, or several: the message lists what was found.
    """
    if path.is_file():
        try:
            wanted = _read(path)
        except InvalidDicomError as error:
            raise VolumeError(
                f"{path}: found a file that is not DICOM, accepted are CT and MR images"
            ) from error
        _refuse_other(path, wanted)
        found = [(p, d) for p, d in _datasets(path.parent.glob("*")) if _is_image(d)]
        uid = wanted.get("SeriesInstanceUID")
        return [(p, d) for p, d in found if d.get("SeriesInstanceUID") == uid]
    return _only_series(path)


def listed(lines: list[str]) -> str:
    """Return lines as a list for a message, cut short after a dozen."""
    more = [f"... and {len(lines) - _LISTED} more"] if len(lines) > _LISTED else []
    return "".join(f"\n  {line}" for line in [*lines[:_LISTED], *more])


def _only_series(folder: Path) -> list[tuple[Path, Any]]:
    datasets = _datasets(sorted(folder.rglob("*")))
    if not datasets:
        raise VolumeError(f"{folder}: found no DICOM files, accepted is a folder with one CT or MR series")
    series: dict[str, list[tuple[Path, Any]]] = defaultdict(list)
    for path, dataset in datasets:
        if _is_image(dataset):
            series[str(dataset.get("SeriesInstanceUID"))].append((path, dataset))
    if not series:
        kinds = sorted({_kind(dataset) for _, dataset in datasets})
        raise VolumeError(
            f"{folder}: found only {', '.join(kinds)}, accepted is a folder with one CT or MR series"
        )
    if len(series) > 1:
        lines = [_described(files) for files in series.values()]
        raise VolumeError(
            f"{folder}: found {len(series)} image series, accepted is one; "
            f"open a file of the one you need:{listed(lines)}"
        )
    return next(iter(series.values()))


def _datasets(paths: Any) -> list[tuple[Path, Any]]:
    """Read every DICOM file, without pixels; other files are passed over."""
    found = []
    for path in sorted(paths):
        if path.is_file() and path.name != "DICOMDIR" and is_dicom(path):
            try:
                found.append((path, _read(path)))
            except InvalidDicomError:
                continue
    return found


def _read(path: Path) -> Any:
    try:
        return pydicom.dcmread(path, stop_before_pixels=True)
    except InvalidDicomError:
        raise
    except PermissionError as error:
        raise VolumeError(
            f"{path}: found a file without permission to read, accepted is a readable file"
        ) from error
    except (OSError, EOFError, ValueError, NotImplementedError) as error:
        raise VolumeError(f"{path}: found a damaged DICOM file: {error}") from error


def _is_image(dataset: Any) -> bool:
    return dataset.get("Modality") in MODALITIES and "Rows" in dataset and "Columns" in dataset


def _refuse_other(path: Path, dataset: Any) -> None:
    if not _is_image(dataset):
        raise VolumeError(f"{path}: found {_kind(dataset)}, accepted are CT and MR images")


def _kind(dataset: Any) -> str:
    uid = dataset.get("SOPClassUID")
    modality = dataset.get("Modality") or "an object without modality"
    return f"{modality} ({uid.name})" if uid else str(modality)


def _described(files: list[tuple[Path, Any]]) -> str:
    path, dataset = files[0]
    what = dataset.get("SeriesDescription") or "no description"
    return (
        f"{dataset.Modality} series {dataset.get('SeriesNumber')}, {what}: {len(files)} files, as {path.name}"
    )
