"""Read a DICOM series (CT or MR; one slice per file, or enhanced multi-frame) as a `Volume`."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pydicom

from napari_vol2vol.errors import VolumeError
from napari_vol2vol.io.dicom_frames import Slice, slices_of
from napari_vol2vol.io.dicom_series import find_series, is_dicom, listed
from napari_vol2vol.io.modality import modality_from_dicom, units_of
from napari_vol2vol.io.orientation import to_canonical
from napari_vol2vol.volume import Affine, FloatArray, Source, Volume, check_image, checked_affine

__all__ = ["is_dicom", "read_dicom"]

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
_SAME_MM = 1e-2  # slices closer than this are at one position
_STEP_TOLERANCE = 0.05  # of the usual step between slices
_KEPT_TAGS = (
    "Modality",
    "Manufacturer",
    "MagneticFieldStrength",
    "EchoTime",
    "RepetitionTime",
    "InversionTime",
    "FlipAngle",
    "KVP",
    "ConvolutionKernel",
    "SliceThickness",
    "SeriesDescription",
)


def read_dicom(path: Path) -> Volume:
    """Read the series in a folder, or the series that a file belongs to.

    Slices are sorted by their position along the slice normal and rescaled one by one; CT comes in HU.

    Raises
    ------
    VolumeError
        Not one CT or MR series, colours, slices of different size or orientation, duplicate or missing
        positions: the message lists what was found.
    """
    files = find_series(path)
    for file, dataset in files:
        _refuse_colour(file, dataset)
    slices = sorted(
        (s for file, dataset in files for s in slices_of(dataset, file)), key=lambda s: s.depth_mm
    )
    _refuse_mixture(path, slices)
    _refuse_duplicates(path, slices)
    _refuse_gaps(path, slices)
    first = files[0][1]
    modality = modality_from_dicom(first)
    source = _source(path, first, slices)
    data, affine = to_canonical(_voxels(slices), source.affine)
    units = "a.u." if first.get("RescaleType") not in (None, "", "HU") else units_of(modality)
    volume = Volume(data, affine, units, modality, _name(path, first), source)
    check_image(volume)
    return volume


def _source(path: Path, dataset: Any, slices: list[Slice]) -> Source:
    """Return the source; slices that are rescaled differently have no common stored dtype."""
    rescaling = {(s.slope, s.intercept) for s in slices}
    bits, signed = int(dataset.get("BitsAllocated") or 16), int(dataset.get("PixelRepresentation") or 0)
    slope, intercept = rescaling.pop() if len(rescaling) == 1 else (1.0, 0.0)
    known = {tag: str(value) for tag in _KEPT_TAGS if (value := dataset.get(tag)) not in (None, "")}
    return Source(
        format="dicom",
        path=str(path),
        shape=(slices[0].columns, slices[0].rows, len(slices)),
        affine=checked_affine(_affine(slices), str(path)),
        dtype=f"{'int' if signed else 'uint'}{bits}" if not rescaling else "float32",
        slope=slope,
        intercept=intercept,
        header=MappingProxyType(known),
    )


def _affine(slices: list[Slice]) -> Affine:
    """Return the affine (4, 4) from the index ``(column, row, slice, 1)`` to mm in RAS+."""
    first, last = slices[0], slices[-1]
    step = first.normal * first.thickness_mm
    if len(slices) > 1:
        step = (last.position - first.position) / (len(slices) - 1)
    lps = np.eye(4)
    lps[:3, 0] = first.along_columns * first.spacing_mm[1]
    lps[:3, 1] = first.along_rows * first.spacing_mm[0]
    lps[:3, 2] = step
    lps[:3, 3] = first.position
    return _LPS_TO_RAS @ lps


def _voxels(slices: list[Slice]) -> FloatArray:
    """Return the rescaled values ``(column, row, slice)``; each file is decoded once."""
    values = np.empty((len(slices), slices[0].rows, slices[0].columns), np.float32)
    wanted: dict[Path, list[int]] = {}
    for index, one in enumerate(slices):
        wanted.setdefault(one.path, []).append(index)
    for file, indices in wanted.items():
        pixels = _decoded(file)
        for index in indices:
            one = slices[index]
            frame = pixels if pixels.ndim == 2 else pixels[max(one.frame, 0)]
            if frame.shape != values.shape[1:]:
                raise VolumeError(
                    f"{one.label}: found {frame.shape} pixels, its header says {values.shape[1:]}"
                )
            values[index] = frame.astype(np.float64) * one.slope + one.intercept
    return values.transpose(2, 1, 0)


def _decoded(path: Path) -> Any:
    dataset = pydicom.dcmread(path)
    try:
        return dataset.pixel_array
    except Exception as error:  # decoders raise what they like
        syntax = dataset.file_meta.get("TransferSyntaxUID")
        name = syntax.name if syntax else "no transfer syntax"
        raise VolumeError(f"{path}: pixels could not be decoded ({name}): {error}") from error


def _refuse_colour(path: Path, dataset: Any) -> None:
    samples = int(dataset.get("SamplesPerPixel") or 1)
    if samples != 1:
        raise VolumeError(f"{path}: SamplesPerPixel: found {samples} (RGB colours), accepted is 1")


def _refuse_mixture(path: Path, slices: list[Slice]) -> None:
    kinds: list[list[Slice]] = []
    for one in slices:
        for kind in kinds:
            if one.lies_like(kind[0]):
                kind.append(one)
                break
        else:
            kinds.append([one])
    if len(kinds) > 1:
        lines = [f"{len(kind)} slices of {kind[0].described}, as {kind[0].label}" for kind in kinds]
        raise VolumeError(
            f"{path}: found a mixed series, accepted are slices of one size and orientation:{listed(lines)}"
        )


def _refuse_duplicates(path: Path, slices: list[Slice]) -> None:
    lines = [
        f"{b.depth_mm:.2f} mm: {a.label} and {b.label}"
        for a, b in pairwise(slices)
        if b.depth_mm - a.depth_mm < _SAME_MM
    ]
    if lines:
        raise VolumeError(
            f"{path}: found {len(lines)} duplicate slice positions (several echoes or times?), "
            f"accepted is one slice per position:{listed(lines)}"
        )


def _refuse_gaps(path: Path, slices: list[Slice]) -> None:
    if len(slices) < 2:
        return
    places = np.array([one.position for one in slices])
    steps = np.diff([one.depth_mm for one in slices])
    usual = float(np.median(steps))
    odd = np.flatnonzero(np.abs(steps - usual) > max(_STEP_TOLERANCE * usual, _SAME_MM))
    lines = [f"{steps[i]:.2f} mm between {slices[i].label} and {slices[i + 1].label}" for i in odd]
    if lines:
        raise VolumeError(
            f"{path}: found gaps between slices, accepted is an even step, "
            f"{usual:.2f} mm here:{listed(lines)}"
        )
    line = np.linspace(places[0], places[-1], len(slices))
    off = np.linalg.norm(places - line, axis=1)
    lines = [
        f"{off[i]:.2f} mm: {slices[i].label}" for i in np.flatnonzero(off > _STEP_TOLERANCE * usual + 0.1)
    ]
    if lines:
        raise VolumeError(
            f"{path}: found slices beside the common line, accepted is one straight stack:{listed(lines)}"
        )


def _name(path: Path, dataset: Any) -> str:
    described = str(dataset.get("SeriesDescription") or "").strip()
    return described or (path.name if path.is_dir() else path.stem)
