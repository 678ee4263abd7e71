"""What a scanner measured, beside the volume that shows it: sinograms and k-space, in their own units."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from napari_vol2vol.errors import VolumeError

Shape = tuple[int, int, int]
NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, eq=False)
class MeasuredCT:
    """Line integrals of the attenuation, without unit, `(D, views, bins)` float32.

    The image has slices of ``image_shape`` (H, W) square pixels of ``pixel_mm``, ``bin_mm`` is the width of a
    detector bin, for a fan beam that of its image at the axis of rotation. ``sigma`` is the standard
    deviation of the noise in the units of the sinogram (None: unknown). ``origin`` says how it was made.

    Raises
    ------
    VolumeError
        If the sinogram has not three axes, a value is not finite, or there are not as many angles as views.
    """

    kind: ClassVar[str] = "ct"

    sinogram: NDArray[np.float32]
    angles_deg: tuple[float, ...]
    image_shape: tuple[int, int]
    pixel_mm: float
    bin_mm: float
    geometry: str = "parallel"
    source_distance_mm: float = 0.0
    sigma: float | None = None
    origin: Mapping[str, Any] = field(default_factory=lambda: NOTHING)

    def __post_init__(self) -> None:
        if self.sinogram.ndim != 3 or self.sinogram.shape[1] != len(self.angles_deg):
            raise VolumeError(
                f"sinogram: found shape {self.sinogram.shape} and {len(self.angles_deg)} angles, accepted is "
                "(slices, views, bins) with one angle a view"
            )
        if not np.isfinite(self.sinogram).all():
            raise VolumeError("sinogram: found values that are NaN or infinite, accepted are finite ones")

    @property
    def shape(self) -> Shape:
        """Shape of the image `(D, H, W)`."""
        return (self.sinogram.shape[0], *self.image_shape)

    @property
    def complex_image(self) -> bool:
        """Whether the image is complex: never."""
        return False

    def summary(self) -> dict[str, Any]:
        """Return what a record says of it."""
        return {
            "kind": self.kind, "shape": list(self.sinogram.shape), "sha256": _sha256(self.sinogram),
            "angles_deg": list(self.angles_deg), "pixel_mm": self.pixel_mm, "bin_mm": self.bin_mm,
            "geometry": self.geometry, "source_distance_mm": self.source_distance_mm, "sigma": self.sigma,
            **self.origin,
        }  # fmt: skip


@dataclass(frozen=True, eq=False)
class MeasuredMRI:
    """k-space `(coils, D, H, W)` complex64: the orthonormal transform of each slice as each coil saw it.

    The zero frequency lies at index n // 2. ``mask`` `(H, W)` or `(D, H, W)` says what was sampled;
    ``coil_maps`` `(coils, D or 1, H, W)` are None for one coil of equal sensitivity. ``complex_image`` says
    whether the image has a phase. ``sigma`` is the standard deviation of the noise, in the real and in the
    imaginary part, in the units of k-space (None: unknown). ``origin`` says how it was made.

    Raises
    ------
    VolumeError
        If shapes do not fit each other, or a value is not finite.
    """

    kind: ClassVar[str] = "mri"

    kspace: NDArray[np.complex64]
    mask: NDArray[np.bool_]
    coil_maps: NDArray[np.complex64] | None = None
    complex_image: bool = True
    sigma: float | None = None
    origin: Mapping[str, Any] = field(default_factory=lambda: NOTHING)

    def __post_init__(self) -> None:
        shape = self.kspace.shape
        if self.kspace.ndim != 4 or self.mask.shape not in (shape[-2:], shape[-3:]):
            raise VolumeError(
                f"k-space, mask: found shapes {shape} and {self.mask.shape}, accepted are (coils, D, H, W) "
                "and (H, W) or (D, H, W)"
            )
        if not np.isfinite(self.kspace).all():
            raise VolumeError("k-space: found values that are NaN or infinite, accepted are finite ones")
        maps = self.coil_maps
        accepted = (shape, (shape[0], 1, *shape[-2:]))
        if (maps is None and shape[0] > 1) or (maps is not None and maps.shape not in accepted):
            raise VolumeError(
                f"coil maps: found {None if maps is None else maps.shape} for k-space of {shape}, accepted "
                "are maps (coils, D or 1, H, W); one coil needs none"
            )

    @property
    def shape(self) -> Shape:
        """Shape of the image `(D, H, W)`."""
        _, d, h, w = self.kspace.shape
        return d, h, w

    @property
    def coils(self) -> int:
        """Number of coils."""
        return int(self.kspace.shape[0])

    @property
    def acceleration(self) -> float:
        """Places of k-space over those sampled."""
        return float(self.mask.size / max(int(self.mask.sum()), 1))

    def summary(self) -> dict[str, Any]:
        """Return what a record says of it."""
        return {
            "kind": self.kind, "shape": list(self.kspace.shape), "sha256": _sha256(self.kspace),
            "mask_sha256": _sha256(self.mask), "acceleration": round(self.acceleration, 3),
            "coil_maps_sha256": None if self.coil_maps is None else _sha256(self.coil_maps),
            "complex_image": self.complex_image, "sigma": self.sigma, **self.origin,
        }  # fmt: skip


#: What rides beside a volume that shows a measurement.
Measured = MeasuredCT | MeasuredMRI


def _sha256(array: NDArray[Any]) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
