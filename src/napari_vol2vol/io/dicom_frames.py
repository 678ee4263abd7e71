"""The slices of a DICOM series: where each lies and how its stored values become physical ones.

A classic file is one slice; an enhanced multi-frame file gives one slice per frame from its functional
groups.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_vol2vol.errors import VolumeError


@dataclass(frozen=True, eq=False)
class Slice:
    """One slice: its file and frame, its place in DICOM's patient coordinates (LPS, mm) and its rescaling.

    ``position`` (3,) is the centre of the first voxel. ``along_columns`` and ``along_rows`` (3,) are the unit
    vectors in which the column and the row index grow; ``spacing_mm`` is ``(between rows, between columns)``.
    """

    path: Path
    frame: int
    position: NDArray[np.float64]
    along_columns: NDArray[np.float64]
    along_rows: NDArray[np.float64]
    spacing_mm: tuple[float, float]
    rows: int
    columns: int
    slope: float
    intercept: float
    thickness_mm: float

    @property
    def label(self) -> str:
        """Name the slice for a message: the file, and the frame of a multi-frame file."""
        return f"{self.path.name} frame {self.frame + 1}" if self.frame >= 0 else self.path.name

    @property
    def described(self) -> str:
        """Say the size, spacing and orientation of the slice for a message."""
        directions = (np.round(np.concatenate([self.along_columns, self.along_rows]), 2) + 0.0).tolist()
        spacing = tuple(round(s, 4) for s in self.spacing_mm)
        return f"{self.rows} x {self.columns}, spacing {spacing} mm, orientation {directions}"

    def lies_like(self, other: Slice) -> bool:
        """Whether two slices have one size, spacing and orientation, so that they can be stacked."""
        return (
            (self.rows, self.columns) == (other.rows, other.columns)
            and bool(np.allclose(self.spacing_mm, other.spacing_mm, rtol=2e-3, atol=0))
            and bool(np.allclose(self.along_columns, other.along_columns, atol=5e-3))
            and bool(np.allclose(self.along_rows, other.along_rows, atol=5e-3))
        )

    @property
    def normal(self) -> NDArray[np.float64]:
        """Unit vector (3,) across the slice."""
        return np.cross(self.along_columns, self.along_rows)

    @property
    def depth_mm(self) -> float:
        """Position projected on the slice normal."""
        return float(self.normal @ self.position)


def slices_of(dataset: Any, path: Path) -> Iterator[Slice]:
    """Yield the slices of one data set (read without pixels).

    Raises
    ------
    VolumeError
        Where a tag that places the slice is missing, or a multi-frame object has no functional groups.
    """
    frames = int(dataset.get("NumberOfFrames") or 1)
    if "PerFrameFunctionalGroupsSequence" not in dataset:
        if frames > 1:
            raise VolumeError(
                f"{path}: NumberOfFrames: found {frames} frames without functional groups, accepted are "
                "enhanced multi-frame objects and one slice per file"
            )
        yield _slice(path, -1, dataset, [dataset])
        return
    shared = list(dataset.get("SharedFunctionalGroupsSequence") or [])
    groups = list(dataset.PerFrameFunctionalGroupsSequence)
    if len(groups) != frames:
        raise VolumeError(
            f"{path}: PerFrameFunctionalGroupsSequence: found {len(groups)} items for {frames} frames, "
            "accepted is one item per frame"
        )
    for frame, group in enumerate(groups):
        yield _slice(
            path, frame, dataset, [*_macros(group), *(m for item in shared for m in _macros(item)), dataset]
        )


def _macros(group: Any) -> Iterator[Any]:
    """Yield the first item of every functional group macro (plane position, pixel measures and so on)."""
    for element in group:
        if element.VR == "SQ" and element.value:
            yield element.value[0]


def _slice(path: Path, frame: int, dataset: Any, places: list[Any]) -> Slice:
    orientation = np.asarray(_needed(places, "ImageOrientationPatient", 6, path), np.float64)
    rows_mm, columns_mm = (float(v) for v in _needed(places, "PixelSpacing", 2, path))
    return Slice(
        path=path,
        frame=frame,
        position=np.asarray(_needed(places, "ImagePositionPatient", 3, path), np.float64),
        along_columns=orientation[:3],
        along_rows=orientation[3:],
        spacing_mm=(rows_mm, columns_mm),
        rows=int(dataset.Rows),
        columns=int(dataset.Columns),
        slope=float(_first(places, "RescaleSlope", 1.0)),
        intercept=float(_first(places, "RescaleIntercept", 0.0)),
        thickness_mm=float(
            _first(places, "SpacingBetweenSlices", 0) or _first(places, "SliceThickness", 0) or 1.0
        ),
    )


def _needed(places: list[Any], tag: str, count: int, path: Path) -> list[float]:
    value = _first(places, tag, None)
    if value is None or len(value) != count:
        found = "nothing" if value is None else str(value)
        raise VolumeError(
            f"{path}: {tag}: found {found}, accepted are {count} numbers (it places the slice in space)"
        )
    return [float(v) for v in value]


def _first(places: list[Any], tag: str, default: Any) -> Any:
    """Return a tag from the first place that has it; DICOM writes unknown values as empty."""
    for place in places:
        value = place.get(tag)
        if value is not None and value != "":
            return value
    return default
