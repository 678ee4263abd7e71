"""A medical volume: voxels, where they lie in the patient, their units, and where they came from.

The one place where grids are compared, resampled, padded and turned into napari layers and back.
Imports numpy only; files are read and written in `napari_vol2vol.io`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_vol2vol.errors import VolumeError
from napari_vol2vol.grid import Grid
from napari_vol2vol.measured import Measured

FloatArray = NDArray[np.float32]
Affine = NDArray[np.float64]
LayerData = tuple[NDArray[Any], dict[str, Any], str]

GRID_TOLERANCE_MM = 1e-3
METADATA_KEY = "vol2vol"
_MM_PER_UNIT = {"mm": 1.0, "millimeter": 1.0, "pixel": 1.0, "": 1.0, "m": 1e3, "meter": 1e3, "cm": 10.0,
                "centimeter": 10.0, "um": 1e-3, "µm": 1e-3, "micrometer": 1e-3, "micron": 1e-3, "nm": 1e-6,
                "nanometer": 1e-6}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Source:
    """The file a volume came from: what is needed to write a result in the same grid, header and dtype.

    ``shape`` is in the file's own axis order ``(i, j, k)`` and ``affine`` maps its index ``(i, j, k, 1)`` to
    mm in RAS+ (shape (4, 4)). ``dtype`` is the dtype on disk, where value = ``slope`` x stored +
    ``intercept``. ``header`` holds what the format needs to write itself again (NIfTI: the raw header block;
    DICOM: a few tags that do not identify a person). ``mm_per_unit`` is what one length unit of the file is
    in mm.
    """

    format: str
    path: str
    shape: tuple[int, int, int]
    affine: Affine
    dtype: str = "float32"
    slope: float = 1.0
    intercept: float = 0.0
    mm_per_unit: float = 1.0
    header: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, eq=False)
class Volume:
    """A 3D image in closest canonical orientation.

    ``data`` is float32 ``(z, y, x)``: index 0 grows towards superior, 1 towards anterior, 2 towards the
    right. ``affine`` (4, 4) maps the voxel index ``(x, y, z, 1)`` to mm in RAS+; it may be oblique. ``units``
    are the units of the values, ``"HU"`` or ``"a.u."``; ``modality`` is ``"T1w"``, ``"T2w"``, ``"FLAIR"``,
    ``"T1ce"``, ``"PD"``, ``"CT"`` or None where unknown. ``measured`` is what a scanner measured where the
    voxels are only a first reconstruction of it; it goes where the voxels change.

    Raises
    ------
    VolumeError
        Where ``data`` has not three axes, has an axis of size zero, is complex, or ``affine`` is singular;
        where ``measured`` is of an image of another shape.
    """

    data: FloatArray
    affine: Affine = field(default_factory=lambda: np.eye(4))
    units: str = "a.u."
    modality: str | None = None
    name: str = "volume"
    source: Source | None = None
    provenance: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    measured: Measured | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "data", _as_voxels(self.data, self.name))
        object.__setattr__(self, "affine", checked_affine(self.affine, self.name))
        if self.measured is not None and self.measured.shape != self.shape:
            raise VolumeError(
                f"{self.name}: measured: found a measurement of an image of {self.measured.shape} voxels, "
                f"accepted is one of the volume's {self.shape} (z, y, x)"
            )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of voxels along ``(z, y, x)``."""
        z, y, x = self.data.shape
        return z, y, x

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance in mm between neighbouring voxels along ``(z, y, x)``."""
        x, y, z = (float(s) for s in np.linalg.norm(self.affine[:3, :3], axis=0))
        return z, y, x

    @property
    def grid(self) -> Grid:
        """Shape and affine."""
        return Grid(self.shape, self.affine)

    @classmethod
    def from_array(
        cls,
        data: ArrayLike,
        spacing_mm: Sequence[float] = (1.0, 1.0, 1.0),
        affine: ArrayLike | None = None,
        *,
        units: str = "a.u.",
        modality: str | None = None,
        name: str = "volume",
        source: Source | None = None,
        provenance: Mapping[str, Any] | None = None,
    ) -> Self:
        """Make a volume from an array ``(z, y, x)``, with its spacing ``(dz, dy, dx)`` in mm or an affine."""
        grid = scale_affine(spacing_mm) if affine is None else np.asarray(affine, np.float64)
        return cls(np.asarray(data), grid, units, modality, name, source, provenance or {})

    def with_data(
        self,
        data: ArrayLike,
        *,
        affine: ArrayLike | None = None,
        name: str | None = None,
        units: str | None = None,
        provenance: Mapping[str, Any] | None = None,
    ) -> Self:
        """Return a copy with other voxels; without a new ``affine`` their shape has to stay.

        What was ``measured`` is kept only with the very same voxels.

        Raises
        ------
        VolumeError
            Where the shape changes and no affine says where the new grid lies.
        """
        array = np.asarray(data)
        if affine is None and array.shape != self.shape:
            raise VolumeError(
                f"{name or self.name}: found data of shape {array.shape}, accepted is {self.shape}, "
                "or any shape together with its affine"
            )
        return replace(
            self,
            measured=self.measured if data is self.data and affine is None else None,
            data=array,
            affine=self.affine if affine is None else np.asarray(affine, np.float64),
            name=self.name if name is None else name,
            units=self.units if units is None else units,
            provenance=self.provenance if provenance is None else provenance,
        )

    def same_grid(self, other: Volume) -> bool:
        """Whether shapes agree and no voxel lies more than 0.001 mm from its counterpart."""
        return self.shape == other.shape and grid_distance_mm(self, other) <= GRID_TOLERANCE_MM

    def resampled_to(self, other: Volume) -> Self:
        """Interpolate linearly onto the grid of ``other``; outside the field of view comes the minimum.

        The border voxels reach one voxel outwards, so a finer grid over the same field of view has no dark
        rim. The result remembers the file grid of ``other`` and is saved as float32.
        """
        from scipy.ndimage import affine_transform

        flip = np.eye(4)[[2, 1, 0, 3]]
        to_index = flip @ np.linalg.inv(self.affine) @ other.affine @ flip
        moved = affine_transform(
            np.pad(self.data, 1, mode="edge"),
            to_index[:3, :3],
            offset=to_index[:3, 3] + 1.0,
            output_shape=other.shape,
            order=1,
            cval=float(self.data.min()),
        )
        source = other.source and replace(other.source, dtype="float32", slope=1.0, intercept=0.0)
        return replace(self, data=moved, affine=other.affine.copy(), source=source, measured=None)

    def to_layer(self, kind: str = "image") -> LayerData:
        """Return napari layer data ``(array, keywords, kind)``; ``kind`` is ``"image"`` or ``"labels"``.

        The layer shows the canonical array with scale and translate in mm only (napari does not slice oblique
        affines); the true affine, the source, units, modality and provenance ride in ``metadata["vol2vol"]``.
        """
        if kind not in ("image", "labels"):
            raise VolumeError(f"kind: found {kind!r}, accepted are 'image' and 'labels'")
        remembered = {
            "affine": self.affine.copy(),
            "units": self.units,
            "modality": self.modality,
            "source": self.source,
            "provenance": dict(self.provenance),
            "measured": self.measured,
        }
        keywords = {
            "name": self.name,
            "scale": self.spacing_mm,
            "translate": _origin_zyx(self.affine),
            "units": ("mm", "mm", "mm"),
            "axis_labels": ("z", "y", "x"),
            "metadata": {METADATA_KEY: remembered},
        }
        array = np.rint(self.data).astype(np.int32) if kind == "labels" else self.data
        return array, keywords, kind

    @classmethod
    def from_layer(
        cls,
        data: ArrayLike,
        scale: Sequence[float] = (1.0, 1.0, 1.0),
        translate: Sequence[float] = (0.0, 0.0, 0.0),
        metadata: Mapping[str, Any] | None = None,
        name: str = "volume",
        units: Sequence[object] | None = None,
    ) -> Self:
        """Return the volume that a layer shows; the inverse of `to_layer`.

        ``units`` are the layer's length units per axis (strings or pint units; None and pixel count as mm). A
        layer without our metadata becomes a volume with its scale and translate as affine, its axes taken as
        ``(z, y, x)``. Where the user moved, cropped or rescaled one of our layers, the true affine follows
        along its own axes.

        Raises
        ------
        VolumeError
            Where the layer has not three axes, is RGB or complex, or its units are not a length.
        """
        array = _layer_array(data, name)
        to_mm = [_mm_per_unit(unit, name) for unit in units or ("mm",) * 3][-3:]
        scale_mm = np.asarray(scale, np.float64)[-3:] * to_mm
        offset_mm = np.asarray(translate, np.float64)[-3:] * to_mm
        flips = tuple(int(axis) for axis in np.flatnonzero(scale_mm < 0))
        for axis in flips:
            offset_mm[axis] += scale_mm[axis] * (array.shape[axis] - 1)
        array, scale_mm = np.flip(array, flips), np.abs(scale_mm)
        remembered = (metadata or {}).get(METADATA_KEY)
        known: Mapping[str, Any] = remembered if isinstance(remembered, Mapping) else {}
        affine = _moved_affine(known.get("affine"), scale_mm, offset_mm)
        measured = known.get("measured")
        if flips or (measured is not None and measured.shape != array.shape):
            measured = None  # the layer was turned or cut: it shows no longer what was measured
        return cls(
            array,
            affine,
            known.get("units", "a.u."),
            known.get("modality"),
            name,
            known.get("source"),
            known.get("provenance") or {},
            measured,
        )


def check_image(volume: Volume) -> None:
    """Refuse values that no model can work with.

    Raises
    ------
    VolumeError
        Where the volume holds NaN or infinity, or is constant.
    """
    finite = np.isfinite(volume.data)
    if not finite.all():
        bad = tuple(int(i) for i in np.argwhere(~finite)[0])
        count = int(finite.size - np.count_nonzero(finite))
        raise VolumeError(
            f"{volume.name}: found {count} voxels that are NaN or infinite (the first at z, y, x = {bad}), "
            "accepted are finite values only"
        )
    low, high = float(volume.data.min()), float(volume.data.max())
    if low == high:
        raise VolumeError(
            f"{volume.name}: found a constant volume (every voxel is {low:g}), accepted is an image "
            "with at least two different values"
        )


def check_reference(volume: Volume, reference: Volume, what_for: str = "reference") -> None:
    """Refuse a reference that does not lie on the grid of ``volume``, and say how to bring it there.

    ``what_for`` is what the second volume is called in the message.

    Raises
    ------
    VolumeError
        Names what differs (shape, spacing or position) and offers `Volume.resampled_to`.
    """
    if volume.same_grid(reference):
        return
    if volume.shape != reference.shape:
        what = f"shape {reference.shape} where {volume.shape} (z, y, x) is needed"
    elif not np.allclose(volume.spacing_mm, reference.spacing_mm, atol=GRID_TOLERANCE_MM):
        found, needed = (tuple(round(s, 4) for s in v.spacing_mm) for v in (reference, volume))
        what = f"voxel spacing {found} mm where {needed} mm (z, y, x) is needed"
    else:
        what = f"voxels up to {grid_distance_mm(volume, reference):.3g} mm away from their counterparts"
    raise VolumeError(
        f"{what_for} {reference.name}: found {what}, accepted is the grid of {volume.name}; "
        f"resample it ({what_for}.resampled_to(volume), or --resample on the command line)"
    )


def pad_to_multiple(
    array: NDArray[Any], multiples: int | Sequence[int], minimum: int | Sequence[int] = 1
) -> tuple[NDArray[Any], tuple[slice, slice, slice]]:
    """Replicate the edges of an array ``(z, y, x)`` until each axis is a multiple and at least ``minimum``.

    ``padded[crop]`` is exactly ``array``, where ``crop`` is the second value returned. Both ``multiples`` and
    ``minimum`` are one number or one per axis.
    """
    widths: list[tuple[int, int]] = []
    for size, multiple, least in zip(array.shape, _per_axis(multiples), _per_axis(minimum), strict=True):
        extra = -(-max(size, least) // multiple) * multiple - size
        widths.append((extra // 2, extra - extra // 2))
    z, y, x = (slice(before, before + size) for (before, _), size in zip(widths, array.shape, strict=True))
    padded = np.pad(array, widths, mode="edge") if any(map(any, widths)) else array.copy()
    return padded, (z, y, x)


def scale_affine(spacing_mm: Sequence[float], origin_mm: Sequence[float] = (0.0, 0.0, 0.0)) -> Affine:
    """Return the affine (4, 4) of a grid with spacing and origin in mm, both in the order ``(z, y, x)``."""
    affine = np.diag([*reversed([float(s) for s in spacing_mm]), 1.0])
    affine[:3, 3] = list(reversed([float(o) for o in origin_mm]))
    return affine


def checked_affine(affine: ArrayLike, name: str) -> Affine:
    """Return the affine as float64 (4, 4); `VolumeError` where it is not finite or is singular."""
    matrix = np.asarray(affine, np.float64)
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
        raise VolumeError(f"{name}: affine: found {matrix.tolist()}, accepted is a finite 4 x 4 matrix")
    lengths = np.linalg.norm(matrix[:3, :3], axis=0)
    if not lengths.all() or abs(np.linalg.det(matrix[:3, :3] / lengths)) < 1e-4:
        raise VolumeError(
            f"{name}: affine: found a singular matrix {matrix[:3].tolist()}, accepted is one whose three "
            "voxel axes are non-zero and span space"
        )
    return matrix


def grid_distance_mm(one: Volume, other: Volume) -> float:
    """Return the largest distance in mm between equal voxel indices of two grids (taken at the corners)."""
    z, y, x = one.shape
    corners = np.array([(i, j, k, 1.0) for i in (0, x - 1) for j in (0, y - 1) for k in (0, z - 1)])
    return float(np.linalg.norm(corners @ (one.affine - other.affine).T, axis=1).max())


def _as_voxels(data: ArrayLike, name: str) -> FloatArray:
    array = np.asarray(data)
    if array.ndim != 3 or 0 in array.shape:
        raise VolumeError(
            f"{name}: found an array of shape {array.shape}, accepted is three axes (z, y, x), none of "
            "them empty"
        )
    if array.dtype.kind not in "biuf":
        raise VolumeError(f"{name}: found values of type {array.dtype}, accepted are real numbers")
    return np.ascontiguousarray(array, dtype=np.float32)


def _layer_array(data: ArrayLike, name: str) -> NDArray[Any]:
    if hasattr(data, "shapes"):  # napari's multiscale data: the first level is the finest
        data = data[0]  # type: ignore[index]
    array = np.asarray(data)
    while array.ndim > 3 and array.shape[0] == 1:
        array = array[0]
    if array.ndim != 3:
        raise VolumeError(
            f"layer {name}: found an array of shape {array.shape}, accepted is one 3D image (z, y, x); "
            "RGB images and time series are not"
        )
    return array


def _mm_per_unit(unit: object, name: str) -> float:
    if str(unit) not in _MM_PER_UNIT:
        raise VolumeError(f"layer {name}: found the unit {unit}, accepted are mm, µm, nm, cm, m and pixel")
    return _MM_PER_UNIT[str(unit)]


def _origin_zyx(affine: Affine) -> tuple[float, float, float]:
    x, y, z = (float(v) for v in affine[:3, 3])
    return z, y, x


def _moved_affine(true_affine: Affine | None, scale_mm: Affine, offset_mm: Affine) -> Affine:
    """Return ``true_affine`` itself, or moved along its own axes as its layer was moved."""
    if true_affine is None:
        return scale_affine(scale_mm.tolist(), offset_mm.tolist())
    affine = np.array(true_affine, np.float64)
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    shift = offset_mm[::-1] - affine[:3, 3]
    if np.allclose(spacing, scale_mm[::-1], rtol=1e-6) and np.allclose(shift, 0, atol=1e-6):
        return affine
    direction = affine[:3, :3] / spacing
    affine[:3, :3] = direction * scale_mm[::-1]
    affine[:3, 3] += direction @ shift
    return affine


def _per_axis(value: int | Sequence[int]) -> tuple[int, int, int]:
    z, y, x = (value,) * 3 if isinstance(value, int) else value
    return z, y, x
