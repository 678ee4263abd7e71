"""Write a `Volume` as NIfTI, with the axis order, header and (where it fits) dtype of its source.

Dtype policy
------------
The source's dtype, slope and intercept are kept if the source holds integers, no value lies outside what they
can represent by more than 1 % of the volume's range (such overshoot is clipped), and either every value falls
on one of the source's steps or the volume spans at least 200 of them. Everything else is written as float32
without scaling: float sources, uncertainty and error maps, results in other units.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import nibabel as nib
import numpy as np
from nibabel.volumeutils import native_code
from numpy.typing import NDArray

from napari_vol2vol.errors import VolumeError
from napari_vol2vol.io.atomic import Fill, write_files
from napari_vol2vol.io.nifti import is_nifti_name
from napari_vol2vol.io.orientation import from_canonical
from napari_vol2vol.io.provenance import GENERATED_KEY, as_json, is_record, sidecar_path
from napari_vol2vol.volume import Affine, Source, Volume

_OVERSHOOT = 0.01
_LEAST_STEPS = 200
_ALIGNED = 2  # NIfTI code of a form that no scanner made


def write_nifti(
    volume: Volume, path: Path, *, overwrite: bool = False, record: Mapping[str, Any] | None = None
) -> list[Path]:
    """Write ``X.nii`` or ``X.nii.gz`` and, where there is provenance, ``X.json``; all of it or nothing.

    ``record`` is the provenance (default: ``volume.provenance``). A volume whose record says
    ``"AI-generated"`` says so in the header's ``descrip`` as well. Returns the paths written, the image
    first.

    Raises
    ------
    VolumeError
        Unknown extension, an existing file without ``overwrite``, a sidecar that is not ours, or a failing
        disk.
    """
    if not is_nifti_name(path):
        raise VolumeError(f"{path}: found the extension {path.suffix!r}, accepted are .nii and .nii.gz")
    record = dict(volume.provenance if record is None else record)
    image = nifti_image(volume, generated=bool(record.get(GENERATED_KEY)))
    sidecar = sidecar_path(path)
    ours = _is_our_sidecar(sidecar)
    files: dict[Path, Fill] = {
        path: lambda stream: _fill(stream, image, zipped=path.name.lower().endswith(".gz"))
    }
    if record:
        if sidecar.exists() and not ours:
            raise VolumeError(
                f"{sidecar}: found a sidecar that napari-vol2vol did not write, accepted is an image name "
                "without one, as the provenance goes there"
            )
        text = json.dumps(as_json(record), indent=2, ensure_ascii=False) + "\n"
        files[sidecar] = lambda stream: _fill_text(stream, text)
    write_files(files, overwrite=overwrite)
    if not record and ours:
        sidecar.unlink(missing_ok=True)  # it told of the image that was replaced
    return list(files)


def nifti_image(volume: Volume, *, generated: bool = False) -> Any:
    """Return the nibabel image of a volume, with its source's axis order, header and dtype."""
    source = volume.source
    array, affine = volume.data.transpose(2, 1, 0), volume.affine
    if source is not None:
        array, affine = from_canonical(volume.data, volume.affine, source.affine)
    stored, slope, intercept = stored_values(array, source)
    header = _header(source)
    header.set_data_shape(stored.shape)
    header.set_data_dtype(stored.dtype)
    _set_forms(header, affine, source)
    if generated:
        header["descrip"] = GENERATED_KEY.encode()
    kind = nib.Nifti2Image if isinstance(header, nib.Nifti2Header) else nib.Nifti1Image
    image = kind(stored, header.get_best_affine(), header)
    image.header.set_slope_inter(slope, intercept)
    return image


def stored_values(array: NDArray[np.float32], source: Source | None) -> tuple[NDArray[Any], float, float]:
    """Return what goes to disk by the dtype policy: the stored array, its slope and its intercept."""
    if source is None or np.dtype(source.dtype).kind not in "iu" or not source.slope:
        return array, 1.0, 0.0
    limits = np.iinfo(source.dtype)
    steps = (array.astype(np.float64) - source.intercept) / source.slope
    low, high = float(steps.min()), float(steps.max())
    rounded = np.rint(steps)
    slack = 0.5 + _OVERSHOOT * (high - low)
    fits = low >= limits.min - slack and high <= limits.max + slack
    on_steps = bool(np.abs(steps - rounded).max() < 0.01)
    if not fits or not (on_steps or high - low >= _LEAST_STEPS):
        return array, 1.0, 0.0
    return _clipped(rounded, np.dtype(source.dtype)), source.slope, source.intercept


def _clipped(rounded: NDArray[np.float64], dtype: np.dtype[Any]) -> NDArray[Any]:
    limits = np.iinfo(dtype)
    top = float(limits.max)
    if int(top) > limits.max:  # 64-bit limits have no exact float64
        top = float(np.nextafter(top, 0.0))
    return np.clip(rounded, float(limits.min), top).astype(dtype)


def _header(source: Source | None) -> Any:
    if source is None or source.format != "nifti":
        header = nib.Nifti1Header()
        header.set_xyzt_units("mm")
        return header
    kind = nib.Nifti2Header if source.header["version"] == 2 else nib.Nifti1Header
    header = kind(source.header["block"], endianness=source.header["endianness"], check=False)
    if header.endianness != native_code:
        header = header.as_byteswapped(native_code)
    for stale in ("cal_min", "cal_max"):
        header[stale] = 0
    return header


def _set_forms(header: Any, affine: Affine, source: Source | None) -> None:
    """Carry qform and sform to the grid of ``affine``: codes stay, both move by the same voxel mapping."""
    if source is None or source.format != "nifti":
        code = _ALIGNED if source is None else 1
        header.set_sform(affine, code)
        header.set_qform(affine, code)
        return
    to_old_index = np.linalg.inv(source.affine) @ affine
    sform, sform_code = header.get_sform(coded=True)
    qform, qform_code = header.get_qform(coded=True)
    spacing = np.linalg.norm(affine[:3, :3], axis=0) / source.mm_per_unit
    header.set_zooms([float(s) for s in spacing])
    if np.allclose(to_old_index, np.eye(4), atol=1e-6):
        return
    if qform_code:
        header.set_qform(qform @ to_old_index, int(qform_code))
    if sform_code or not qform_code:
        native = np.diag([1 / source.mm_per_unit] * 3 + [1.0]) @ affine
        header.set_sform(sform @ to_old_index if sform_code else native, int(sform_code) or _ALIGNED)


def _fill(stream: BinaryIO, image: Any, *, zipped: bool) -> None:
    if not zipped:
        image.to_stream(stream)
        return
    with gzip.GzipFile(filename="", mode="wb", compresslevel=1, fileobj=stream, mtime=0) as packed:
        image.to_stream(packed)


def _fill_text(stream: BinaryIO, text: str) -> None:
    stream.write(text.encode())


def _is_our_sidecar(sidecar: Path) -> bool:
    try:
        return is_record(json.loads(sidecar.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return False
