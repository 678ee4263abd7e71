"""Measured data: k-space, coil maps, sampling masks and sinograms from NumPy and HDF5 files.

Arrays come out in the layout of `napari_vol2vol.physics`: k-space and coil maps `(coils, D, H, W)` complex64
with the zero frequency at index n // 2, masks `(H, W)` or `(D, H, W)`, sinograms `(D, views, bins)` float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_vol2vol.errors import SettingsError, VolumeError
from napari_vol2vol.io.ismrmrd import is_ismrmrd, read_acquisitions

Complex = NDArray[np.complex64]
HDF5_SUFFIXES = (".h5", ".hdf5")
SUFFIXES = (".npy", ".npz", *HDF5_SUFFIXES)


@dataclass(frozen=True, eq=False)
class KSpace:
    """k-space `(coils, D, H, W)` and where it was sampled, `(H, W)` or `(D, H, W)`."""

    data: Complex
    mask: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Sinogram:
    """Line integrals `(D, views, bins)` and the angles of the views, where the file states them."""

    data: NDArray[np.float32]
    angles_deg: tuple[float, ...] | None


def read_kspace(path: Path | str, layout: str | None = None, *, centred: bool = True) -> KSpace:
    """Read k-space from ``.npy``, ``.npz`` (array ``kspace``), fastMRI HDF5 or ISMRMRD HDF5.

    Parameters
    ----------
    layout : str, optional
        The axes of the array: coils ``c``, slices ``z``, rows ``y``, columns ``x``. Those of HDF5 are
        ``zcyx``, or ``zyx`` with one coil, as in fastMRI; those of NumPy ``czyx``, ``zyx`` or ``yx``. A last
        axis of two real numbers is taken as a complex one.
    centred : bool
        Whether the zero frequency lies at n // 2 of rows and columns; else at 0.

    Raises
    ------
    VolumeError
        If the file cannot be read, has no such array, or the array another number of axes.
    SettingsError
        If the file is HDF5 and h5py is not installed.
    """
    path = Path(path)
    if path.suffix in HDF5_SUFFIXES and is_ismrmrd(_opened(path)):
        with _opened(path) as file:
            found = {"kspace": read_acquisitions(file, path.name)}
        layout = layout or "czyx"
    else:
        found = _arrays(path, ("kspace", "mask"))
    array = _as_complex(_named(found, "kspace", path), path)
    hdf5 = path.suffix in HDF5_SUFFIXES
    usual = {2: "yx", 3: "zyx", 4: "zcyx" if hdf5 else "czyx"}
    data = _in_layout(array, layout or usual.get(array.ndim, ""), "czyx", path)
    if not centred:
        data = np.fft.fftshift(data, axes=(-2, -1))
    return KSpace(data, _mask_of(found.get("mask"), data, path))


def read_coil_maps(path: Path | str, layout: str | None = None) -> Complex:
    """Read coil maps `(coils, D, H, W)` from an array ``coil_maps``; see `read_kspace`.

    The usual layout is ``czyx``, or ``cyx`` for one slice.
    """
    path = Path(path)
    array = _as_complex(_named(_arrays(path, ("coil_maps",)), "coil_maps", path), path)
    usual = {3: "cyx", 4: "czyx"}
    return _in_layout(array, layout or usual.get(array.ndim, ""), "czyx", path)


def read_mask(path: Path | str) -> NDArray[np.bool_]:
    """Read a sampling mask, `(H, W)` or `(D, H, W)`, from an array ``mask``: sampled where it is not zero.

    Raises
    ------
    VolumeError
        If it has another number of axes or samples nothing; else see `read_kspace`.
    """
    path = Path(path)
    mask: NDArray[np.bool_] = np.asarray(_named(_arrays(path, ("mask",)), "mask", path)) != 0
    if mask.ndim not in (2, 3) or not mask.any():
        raise VolumeError(
            f"{path.name}: mask: found shape {mask.shape} with {int(mask.sum())} sampled places, accepted "
            "are (H, W) and (D, H, W) with one or more"
        )
    return mask


def read_sinogram(path: Path | str, layout: str | None = None) -> Sinogram:
    """Read a sinogram, and its angles where there is an array ``angles_deg``, from an array ``sinogram``.

    Parameters
    ----------
    layout : str, optional
        The axes of the array: slices ``z``, views ``v``, bins ``b``; by default ``zvb``, or ``vb``.

    Raises
    ------
    VolumeError
        If there are not as many angles as views, or a value is not finite; else see `read_kspace`.
    """
    path = Path(path)
    found = _arrays(path, ("sinogram", "angles_deg"))
    array = np.asarray(_named(found, "sinogram", path))
    usual = {2: "vb", 3: "zvb"}
    data = _in_layout(array, layout or usual.get(array.ndim, ""), "zvb", path).astype(np.float32)
    if not np.isfinite(data).all():
        raise VolumeError(
            f"{path.name}: sinogram: found values that are NaN or infinite, accepted are finite ones"
        )
    angles = found.get("angles_deg")
    if angles is not None and np.shape(angles) != (data.shape[1],):
        raise VolumeError(
            f"{path.name}: angles_deg: found shape {np.shape(angles)}, accepted is one angle for each of the "
            f"{data.shape[1]} views"
        )
    return Sinogram(data, None if angles is None else tuple(np.asarray(angles, float).tolist()))


def _opened(path: Path) -> Any:
    try:
        import h5py  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ImportError as error:
        raise SettingsError(
            f"{path.name}: HDF5 needs h5py, which is not installed; accepted are pip install h5py, or .npy "
            "and .npz files"
        ) from error
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise VolumeError(f"{path}: cannot be read as HDF5 ({error})") from error


def _arrays(path: Path, names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Return the arrays of a file by name; the only array of a file goes by the first name."""
    if path.suffix not in SUFFIXES:
        raise VolumeError(
            f"{path.name}: found a {path.suffix or 'plain'} file, accepted are {', '.join(SUFFIXES)}"
        )
    if path.suffix in HDF5_SUFFIXES:
        with _opened(path) as file:
            present = [n for n in file if hasattr(file[n], "shape")]
            wanted = present if len(present) == 1 else [n for n in names if n in present]
            found = {n: np.asarray(file[n]) for n in wanted}
    else:
        try:
            loaded = np.load(path, allow_pickle=False)
            found = {names[0]: loaded} if isinstance(loaded, np.ndarray) else dict(loaded)
        except (OSError, ValueError) as error:
            raise VolumeError(f"{path}: cannot be read as a NumPy file of numbers ({error})") from error
    if len(found) == 1 and names[0] not in found:
        return {names[0]: next(iter(found.values()))}
    return found


def _named(found: dict[str, NDArray[Any]], name: str, path: Path) -> NDArray[Any]:
    if name not in found:
        raise VolumeError(
            f"{path.name}: found arrays {', '.join(found) or 'none'}, accepted is one named {name}"
        )
    return found[name]


def _as_complex(array: NDArray[Any], path: Path) -> Complex:
    if array.dtype.kind == "f" and array.ndim > 2 and array.shape[-1] == 2:
        array = array[..., 0] + 1j * array[..., 1]
    if array.dtype.kind != "c":
        raise VolumeError(
            f"{path.name}: found values of type {array.dtype}, accepted are complex ones, or pairs of real "
            "ones along a last axis of 2"
        )
    if not np.isfinite(array).all():
        raise VolumeError(f"{path.name}: found values that are NaN or infinite, accepted are finite ones")
    return array.astype(np.complex64)


def _in_layout(array: NDArray[Any], layout: str, wanted: str, path: Path) -> NDArray[Any]:
    """Return the array with the axes ``wanted``, those that are missing in front with size one."""
    if len(layout) != array.ndim or len(set(layout)) != len(layout) or set(layout) - set(wanted):
        raise VolumeError(
            f"{path.name}: layout: found {layout or 'none'!r} for an array of shape {array.shape}, accepted "
            f"are as many different letters of {wanted!r} as it has axes"
        )
    missing = [axis for axis, letter in enumerate(wanted) if letter not in layout]
    order = [layout.index(letter) for letter in wanted if letter in layout]
    return np.ascontiguousarray(np.expand_dims(array.transpose(order), missing))


def _mask_of(given: NDArray[Any] | None, data: Complex, path: Path) -> NDArray[np.bool_]:
    """Return the mask that a file states, a line of it broadcast to rows, or else where k-space is not 0."""
    if given is None:
        sampled: NDArray[np.bool_] = np.asarray((data != 0).any(0))
        same = bool((sampled == sampled[:1]).all())
        return np.asarray(sampled[0] if same else sampled)
    mask: NDArray[np.bool_] = np.asarray(given) != 0
    try:
        plane = np.broadcast_to(mask, data.shape[1:] if mask.ndim == 3 else data.shape[-2:])
    except ValueError:
        raise VolumeError(
            f"{path.name}: mask: found shape {mask.shape}, accepted is one that fits k-space of "
            f"{data.shape[1:]}"
        ) from None
    return np.ascontiguousarray(plane)
