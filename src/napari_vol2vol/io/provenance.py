"""The record that says where a volume came from; written as JSON beside every file made here."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from napari_vol2vol.errors import VolumeError
from napari_vol2vol.volume import Volume

GENERATOR = "napari-vol2vol"
GENERATED_KEY = "AI-generated"
_PACKAGES = ("napari-vol2vol", "torch", "numpy", "scipy", "nibabel", "pydicom", "napari")
_CHUNK = 1 << 20


def build_record(
    *,
    inputs: Iterable[Mapping[str, Any]] = (),
    task: str | None = None,
    system: str | None = None,
    bundle: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    seed: int | None = None,
    device: str | None = None,
    timings: Mapping[str, float] | None = None,
    packages: Mapping[str, str] | None = None,
    generated: bool = True,
    **more: Any,
) -> dict[str, Any]:
    """Return the provenance record of a result, ready for JSON.

    ``inputs`` come from `describe_input`; ``bundle`` holds the name of the weights and their sha256;
    ``timings`` are in seconds. ``packages`` defaults to the versions installed. Further keywords are kept as
    they are.
    """
    record = {
        "generator": GENERATOR,
        GENERATED_KEY: generated,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "inputs": list(inputs),
        "task": task,
        "system": system,
        "bundle": bundle,
        "settings": settings or {},
        "seed": seed,
        "device": device,
        "timings_s": timings or {},
        "packages": package_versions() if packages is None else packages,
        "python": platform.python_version(),
        **more,
    }
    return {key: as_json(value) for key, value in record.items()}


def describe_input(volume: Volume) -> dict[str, Any]:
    """Return what a record says of an input: name, file and its sha256, shape, spacing, units and modality.

    Only the last part of the path is kept, as folders can name people. A DICOM series that was opened by one
    of its files, and a volume without a file, are identified by the sum of their voxels.
    """
    path = Path(volume.source.path) if volume.source else None
    one_of_many = (
        path is not None and volume.source is not None and volume.source.format == "dicom" and path.is_file()
    )
    hash_file = path is not None and path.exists() and not one_of_many
    return {
        "name": volume.name,
        "file": path.name if path else None,
        "sha256": file_sha256(path) if path and hash_file else array_sha256(volume),
        "sha256_of": "file" if hash_file else "voxels",
        "shape_zyx": list(volume.shape),
        "spacing_mm_zyx": list(volume.spacing_mm),
        "units": volume.units,
        "modality": volume.modality,
    }


def file_sha256(path: Path | str) -> str:
    """Return the sha256 of a file; of a folder, that of its files' names and sums in sorted order.

    Raises
    ------
    VolumeError
        Where a file cannot be read.
    """
    path = Path(path)
    total = hashlib.sha256()
    try:
        if path.is_dir():
            for file in sorted(p for p in path.rglob("*") if p.is_file()):
                total.update(f"{file.relative_to(path).as_posix()} {file_sha256(file)}\n".encode())
            return total.hexdigest()
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                total.update(chunk)
    except OSError as error:
        raise VolumeError(f"{path}: could not be read for its sha256: {error}") from error
    return total.hexdigest()


def array_sha256(volume: Volume) -> str:
    """Return the sha256 of the voxels (float32, C order) and the affine of a volume that has no file."""
    total = hashlib.sha256(np.ascontiguousarray(volume.data).tobytes())
    total.update(volume.affine.tobytes())
    return total.hexdigest()


def package_versions() -> dict[str, str]:
    """Return the versions of the packages that shape a result; absent ones are left out."""
    versions = {}
    for name in _PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def sidecar_path(path: Path) -> Path:
    """Return where the record of an image lies: ``X.json`` beside ``X.nii`` or ``X.nii.gz``."""
    name = path.name
    for suffix in (".nii.gz", ".nii"):
        if name.lower().endswith(suffix):
            return path.with_name(name[: -len(suffix)] + ".json")
    return path.with_name(name + ".json")


def is_record(record: object) -> bool:
    """Whether a JSON value is a record of ours, and not some other sidecar (as BIDS has them)."""
    return isinstance(record, Mapping) and record.get("generator") == GENERATOR


def as_json(value: Any) -> Any:
    """Return a value with numpy types, paths, tuples and sets turned into what JSON knows."""
    if isinstance(value, Mapping):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return as_json(value.tolist())
    if isinstance(value, list | tuple | set | frozenset):
        return [as_json(item) for item in value]
    if isinstance(value, float) and not np.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)
