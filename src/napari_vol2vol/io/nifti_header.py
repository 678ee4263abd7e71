"""Look at a NIfTI file before allocating: what its header claims, and whether the file can hold it."""

from __future__ import annotations

import gzip
import io
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from nibabel.wrapstruct import WrapStructError

from napari_vol2vol.errors import VolumeError

_CHUNK = 1 << 20
_LARGEST_HEADER = 540  # NIfTI-2
_MM_PER_CODE = {1: 1e3, 3: 1e-3}  # metre and micron; anything else is taken as mm


def open_checked(path: Path) -> tuple[Any, BinaryIO | None]:
    """Return the nibabel image of a ``.nii`` or ``.nii.gz`` whose file really holds what its header claims.

    A gzip file is decompressed as a stream that stops at the claimed size; nothing is allocated for the claim
    itself.

    Returns
    -------
    tuple
        The image, and the open buffer behind it for a gzip file (None otherwise).

    Raises
    ------
    VolumeError
        Unreadable, truncated, not NIfTI, or of a kind that is not one real-valued 3D volume.
    """
    try:
        if path.name.lower().endswith(".gz"):
            return _open_gzip(path)
        return _open_plain(path), None
    except PermissionError as error:
        raise VolumeError(
            f"{path}: found a file without permission to read, accepted is a readable file"
        ) from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise VolumeError(
            f"{path}: found a damaged or truncated gzip stream ({error}), accepted is a complete file"
        ) from error
    except (HeaderDataError, ImageFileError) as error:
        raise VolumeError(f"{path}: header: found {error}, accepted is a valid NIfTI header") from error
    except OSError as error:
        raise VolumeError(f"{path}: could not be read: {error}") from error


def mm_per_unit(header: Any) -> float:
    """Return what one length unit of the header is in mm; unknown units are taken as mm."""
    return _MM_PER_CODE.get(int(header["xyzt_units"]) & 7, 1.0)


def _open_plain(path: Path) -> Any:
    with path.open("rb") as stream:
        header, needed = _claims(stream.read(_LARGEST_HEADER), path)
    _refuse_short(path, path.stat().st_size, needed)
    return _image_class(header).from_filename(path)


def _open_gzip(path: Path) -> tuple[Any, BinaryIO]:
    buffer = io.BytesIO()
    with gzip.open(path) as stream:
        buffer.write(stream.read(_LARGEST_HEADER))
        header, needed = _claims(buffer.getvalue(), path)
        while buffer.tell() < needed and (chunk := stream.read(min(_CHUNK, needed - buffer.tell()))):
            buffer.write(chunk)
        _refuse_short(path, buffer.tell(), needed)
        stream.read(1)  # reaching the end makes gzip verify its checksum
    buffer.seek(0)
    return _image_class(header).from_stream(buffer), buffer


def _claims(block: bytes, path: Path) -> tuple[Any, int]:
    """Return the checked header and the number of bytes that the file needs to have."""
    sizes = {348: nib.Nifti1Header, 540: nib.Nifti2Header}
    claimed = (int.from_bytes(block[:4], "little"), int.from_bytes(block[:4], "big"))
    kinds = [sizes[size] for size in claimed if size in sizes]
    if not kinds:
        raise VolumeError(
            f"{path}: found no NIfTI header ({len(block)} bytes, starting {block[:4].hex()}), accepted "
            "are NIfTI-1 and NIfTI-2 files"
        )
    try:
        header = kinds[0](block[: kinds[0].template_dtype.itemsize], check=True)
        shape = tuple(int(n) for n in header.get_data_shape())
        dtype = header.get_data_dtype()
        offset = int(header["vox_offset"])
        header.get_slope_inter()
    except (HeaderDataError, WrapStructError, ValueError, KeyError, OverflowError) as error:
        raise VolumeError(f"{path}: header: found {error}, accepted is a valid NIfTI header") from error
    if not bytes(header["magic"]).startswith(b"n+"):
        raise VolumeError(
            f"{path}: header: found magic {bytes(header['magic'])!r} (a separate .img file), accepted are "
            "single files, .nii or .nii.gz"
        )
    _refuse_kind(path, shape, dtype)
    needed = max(offset, 0) + int(np.prod([int(n) for n in shape], dtype=object)) * dtype.itemsize
    return header, needed


def _refuse_kind(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    if dtype.kind == "V":
        raise VolumeError(f"{path}: datatype: found RGB colours, accepted is one real value per voxel")
    if dtype.kind == "c":
        raise VolumeError(f"{path}: datatype: found complex values, accepted are real values, as a magnitude")
    if len(shape) < 3:
        raise VolumeError(f"{path}: dim: found {len(shape)} axes {shape}, accepted are three")
    if any(n <= 0 for n in shape):
        raise VolumeError(
            f"{path}: dim: found an axis without voxels in {shape}, accepted are axes of 1 or more"
        )
    if any(n > 1 for n in shape[3:]):
        frames = " x ".join(str(n) for n in shape[3:])
        raise VolumeError(
            f"{path}: dim: found {frames} frames in {shape}, accepted is one 3D volume (or a 4D file with "
            "a single frame); save the frame you need to its own file"
        )


def _refuse_short(path: Path, found: int, needed: int) -> None:
    if found < needed:
        raise VolumeError(
            f"{path}: found {found:,} bytes where the header claims {needed:,}, accepted is a complete "
            "file (this one is truncated or its header is wrong)"
        )


def _image_class(header: Any) -> Any:
    return nib.Nifti2Image if isinstance(header, nib.Nifti2Header) else nib.Nifti1Image
