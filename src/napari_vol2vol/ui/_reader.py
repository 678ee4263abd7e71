"""npe2 reader: NIfTI and DICOM become layers, with their true grid in the metadata."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_vol2vol.ct_windows import CT_WINDOWS
from napari_vol2vol.io import read_volume
from napari_vol2vol.volume import LayerData, Volume

ReaderFunction = Callable[[str | Sequence[str]], list[LayerData]]
_LOOKED_AT = 200  # files of a folder, before it counts as not ours
#: Air, and soft tissue with fat, in HU; the padding of scanners lies no lower than the third.
AIR_HU, SOFT_HU, LEAST_HU = (-1100, -850), (-150, 150), -4000
#: A CT has more than this share of its voxels in each.
ENOUGH = 0.02


def napari_get_reader(path: str | Sequence[str]) -> ReaderFunction | None:
    """Return the reader for one path or several, or None where any of them is not ours."""
    paths = _paths(path)
    return read_layers if paths and all(_is_ours(p) for p in paths) else None


def read_layers(path: str | Sequence[str]) -> list[LayerData]:
    """Read every volume once; several files of one DICOM series make one layer.

    Raises
    ------
    VolumeError
        With the file or field, what was found and what is accepted.
    """
    layers, seen = [], set()
    for one in _paths(path):
        key = _series_key(one)
        if key not in seen:
            seen.add(key)
            layers.append(_in_window(read_volume(one)))
    return layers


def _in_window(volume: Volume) -> LayerData:
    """Return the layer of a volume, a CT in the soft tissue window.

    What looks like one and does not say counts as CT in HU; *Modality* in the docks corrects that.
    """
    if volume.modality is None and _looks_hounsfield(volume.data):
        volume = replace(volume, modality="CT", units="HU")
    data, keywords, kind = volume.to_layer()
    if volume.modality == "CT":
        keywords["contrast_limits"] = CT_WINDOWS["abdomen"].limits
    return data, keywords, kind


def _looks_hounsfield(data: NDArray[np.float32]) -> bool:
    """Whether much of a volume is air near -1000, and much near water: NIfTI files do not say."""
    few = data[::4, ::4, ::4]
    shares = [float(((few >= low) & (few <= high)).mean()) for low, high in (AIR_HU, SOFT_HU)]
    return bool(few.min() >= LEAST_HU) and min(shares) > ENOUGH


def _paths(path: str | Sequence[str]) -> list[Path]:
    return [Path(path)] if isinstance(path, str | Path) else [Path(p) for p in path]


def _is_ours(path: Path) -> bool:
    from napari_vol2vol.io.dicom_series import is_dicom
    from napari_vol2vol.io.nifti import is_nifti_name

    if path.is_dir():
        return any(is_dicom(p) for p in islice((p for p in path.rglob("*") if p.is_file()), _LOOKED_AT))
    return is_nifti_name(path) or is_dicom(path)


def _series_key(path: Path) -> tuple[str, str]:
    """Return what the paths of one volume share: folder and series of a DICOM file, else the path."""
    from napari_vol2vol.io.nifti import is_nifti_name

    if path.is_dir() or is_nifti_name(path):
        return str(path), ""
    import pydicom

    try:
        dataset = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["SeriesInstanceUID"])
    except (OSError, EOFError, ValueError, pydicom.errors.InvalidDicomError):
        return str(path), ""
    return str(path.parent), str(dataset.get("SeriesInstanceUID", path.name))
