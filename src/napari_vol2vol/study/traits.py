"""What could tell a volume's arm without a look at the patient, measured on its file."""

from __future__ import annotations

import re
import time
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from napari_vol2vol.study.body import body_mask
from napari_vol2vol.volume import Volume

Words = frozenset[str]
_TEXT_FIELDS = ("descrip", "aux_file", "intent_name", "db_name", "data_type")
_DICOM_FIELDS = (
    "SeriesDescription", "ProtocolName", "Manufacturer", "ManufacturerModelName", "SoftwareVersions",
    "ImageComments", "DerivationDescription", "StationName",
)  # fmt: skip
_READS = 3


@dataclass(frozen=True)
class Traits:
    """One volume. ``words`` are told by texts, ``exact`` by equality, ``numbers`` by order."""

    case: str
    arm: str
    words: Mapping[str, Words]
    exact: Mapping[str, Hashable]
    numbers: Mapping[str, float]
    seconds: float
    path: str = field(default="", compare=False)


def measure(path: Path, case: str, arm: str, code: str = "") -> Traits:
    """Read a volume three times, the fastest counts, and measure it; errors as in `read_volume`.

    ``code`` is a drawn part of the file name, which tells nothing and is left out.
    """
    from napari_vol2vol.io import read_volume

    seconds = []
    for _ in range(_READS):
        start = time.perf_counter()
        volume = read_volume(path)
        seconds.append(time.perf_counter() - start)
    return Traits(
        case, arm, MappingProxyType(_words(path, code)), MappingProxyType(_exact(volume)),
        MappingProxyType(_numbers(volume, path)), min(seconds), str(path),
    )  # fmt: skip


def _words(path: Path, code: str) -> dict[str, Words]:
    header = _dicom_texts(path) if path.is_dir() or not _is_nifti(path) else _nifti_texts(path)
    return {
        "file and layer names": _split(path.name.removeprefix(code)),
        "path": frozenset(w for part in path.parent.parts[-3:] for w in _split(part)),
        "header texts": header | _sidecar(path),
    }


def _exact(volume: Volume) -> dict[str, Hashable]:
    source = volume.source
    affine = volume.affine if source is None else source.affine
    return {
        "dtype": (source.dtype, source.slope, source.intercept) if source else ("float32", 1.0, 0.0),
        "integer or fractional values": bool(np.array_equal(volume.data, np.rint(volume.data))),
        "affine": tuple(np.round(affine, 3).ravel().tolist()),
        "field of view": tuple(round(n * s, 1) for n, s in zip(volume.shape, volume.spacing_mm, strict=True)),
        "shape": volume.shape,
    }


def _numbers(volume: Volume, path: Path) -> dict[str, float]:
    from scipy.ndimage import binary_dilation

    near = binary_dilation(body_mask(volume), iterations=2)  # the skin is no air
    outside = volume.data[~near]
    if outside.size == 0:
        outside = volume.data[:1, :1, :1].ravel()
    low = float(volume.data.min())
    padding = [float(np.mean(face == low)) for axis in range(3) for face in _faces(volume, axis)]
    size = sum(f.stat().st_size for f in path.rglob("*")) if path.is_dir() else path.stat().st_size
    return {
        "padding": round(float(np.mean(padding)), 4),
        "air and table noise": round(float(np.std(outside)), 3),
        "air level": round(float(np.mean(outside)), 3),
        "lowest value": low,
        "highest value": float(volume.data.max()),
        "bytes on disk": float(size),
    }


def _faces(volume: Volume, axis: int) -> tuple[Any, Any]:
    return volume.data.take(0, axis), volume.data.take(-1, axis)


def _is_nifti(path: Path) -> bool:
    from napari_vol2vol.io.nifti import is_nifti_name

    return is_nifti_name(path)


def _nifti_texts(path: Path) -> Words:
    import nibabel as nib

    header = nib.load(path).header
    found = {
        f"{name}={bytes(header[name]).rstrip(bytes(1)).decode('latin-1')}"
        for name in _TEXT_FIELDS
        if bytes(header[name]).rstrip(bytes(1))
    }
    found |= {f"extension={e.get_code()}" for e in header.extensions}
    forms = f"forms={int(header['qform_code'])},{int(header['sform_code'])}"
    return frozenset(found | {forms, f"cal={float(header['cal_min']):g},{float(header['cal_max']):g}"})


def _dicom_texts(path: Path) -> Words:
    import pydicom

    first = next(f for f in sorted(path.rglob("*")) if f.is_file()) if path.is_dir() else path
    tags = pydicom.dcmread(first, stop_before_pixels=True, force=True)
    return frozenset(f"{name}={tags.get(name)}" for name in _DICOM_FIELDS if tags.get(name))


def _sidecar(path: Path) -> Words:
    from napari_vol2vol.io.provenance import sidecar_path

    return frozenset({"a JSON file beside it"} if not path.is_dir() and sidecar_path(path).exists() else ())


def _split(text: str) -> Words:
    """Return the words of a name in lower case, without digits."""
    return frozenset(w.lower() for w in re.findall(r"[A-Za-z]+", text) if len(w) > 1)
