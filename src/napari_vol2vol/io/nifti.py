"""Read a NIfTI file (.nii, .nii.gz; 3D, or 4D with one frame) as a `Volume`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import nibabel as nib
import numpy as np

from napari_vol2vol.errors import VolumeError
from napari_vol2vol.io.modality import modality_from_name, units_of
from napari_vol2vol.io.nifti_header import mm_per_unit, open_checked
from napari_vol2vol.io.orientation import to_canonical
from napari_vol2vol.io.provenance import is_record, sidecar_path
from napari_vol2vol.volume import Source, Volume, check_image, checked_affine

SUFFIXES = (".nii", ".nii.gz")


def is_nifti_name(path: Path | str) -> bool:
    """Whether a file name says NIfTI."""
    return str(path).lower().endswith(SUFFIXES)


def stem_of(path: Path) -> str:
    """Return the file name without ``.nii`` or ``.nii.gz``."""
    name = path.name
    return next((name[: -len(s)] for s in reversed(SUFFIXES) if name.lower().endswith(s)), name)


def read_nifti(path: Path) -> Volume:
    """Read a NIfTI file in closest canonical orientation, values scaled by its slope and intercept.

    Lengths in metres or microns become mm. The modality is guessed from the file name; CT has the units HU. A
    provenance record that we wrote beside the file comes along. The header block is remembered for writing,
    its extensions are not (they often hold the patient's DICOM header).

    Raises
    ------
    VolumeError
        Names the file or header field, what was found and what is accepted.
    """
    image, buffer = open_checked(path)
    try:
        array = np.asanyarray(image.dataobj, dtype=np.float32)
    except (OSError, ValueError, EOFError) as error:
        raise VolumeError(f"{path}: voxels could not be read: {error}") from error
    finally:
        if buffer is not None:
            buffer.close()
    array = array.reshape(image.shape[:3])
    source = _source(path, image)
    data, affine = to_canonical(array, source.affine)
    modality = modality_from_name(path.name)
    volume = Volume(data, affine, units_of(modality), modality, stem_of(path), source, _provenance(path))
    check_image(volume)
    return volume


def _source(path: Path, image: Any) -> Source:
    i, j, k = (int(n) for n in image.shape[:3])
    unit = mm_per_unit(image.header)
    affine = checked_affine(np.diag([unit, unit, unit, 1.0]) @ image.affine, str(path))
    header = {
        "version": 2 if isinstance(image, nib.Nifti2Image) else 1,
        "endianness": image.header.endianness,
        "block": image.header.binaryblock,
    }
    return Source(
        format="nifti",
        path=str(path),
        shape=(i, j, k),
        affine=affine,
        dtype=str(image.get_data_dtype().newbyteorder("=")),
        slope=float(image.dataobj.slope),
        intercept=float(image.dataobj.inter),
        mm_per_unit=unit,
        header=MappingProxyType(header),
    )


def _provenance(path: Path) -> Mapping[str, Any]:
    sidecar = sidecar_path(path)
    try:
        record = json.loads(sidecar.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if is_record(record) else {}
