"""What a figure shows of a volume: three planes through a point, a zoomed box, letters and sizes in mm.

Radiological convention: the patient's right is on the left of axial and coronal slices; anterior is on the
left of sagittal ones; superior (anterior in axial slices) is up. Pure geometry, no matplotlib.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_vol2vol.anatomical_planes import PLANES, Plane, point_text
from napari_vol2vol.errors import SettingsError
from napari_vol2vol.evaluation.suite_entries import Triple, View
from napari_vol2vol.volume import Volume

FloatArray = NDArray[np.float32]
#: Height over width below which a plane is not drawn.
THINNEST = 0.25


@dataclass(frozen=True)
class Frame:
    """The voxel ``point`` (z, y, x) that the planes go through, and the box (start, stop) that is zoomed."""

    shape: Triple
    spacing_mm: tuple[float, float, float]
    point: Triple
    start: Triple
    stop: Triple

    def slice_of(self, data: FloatArray, plane: Plane) -> FloatArray:
        """Return the plane through the point as a picture: row 0 is the top, column 0 the left edge."""
        picture: FloatArray = np.take(data, self.point[plane.axis], axis=plane.axis)[::-1, ::-1]
        return picture

    def zoom_of(self, data: FloatArray, plane: Plane) -> FloatArray:
        """Return the box in that plane as a picture."""
        cut = [slice(a, b) for a, b in zip(self.start, self.stop, strict=True)]
        whole = np.take(data, self.point[plane.axis], axis=plane.axis)
        picture: FloatArray = whole[cut[plane.vertical], cut[plane.horizontal]][::-1, ::-1]
        return picture

    def box_in(self, plane: Plane) -> tuple[float, float, float, float]:
        """Return (left, top, width, height) of the box in pixels of `slice_of`, pixel edges at -0.5."""
        v, h = plane.vertical, plane.horizontal
        left, top = self.shape[h] - self.stop[h] - 0.5, self.shape[v] - self.stop[v] - 0.5
        return left, top, self.stop[h] - self.start[h], self.stop[v] - self.start[v]

    @property
    def planes(self) -> tuple[Plane, ...]:
        """The planes worth a picture: axial, and the others unless the volume is a thin slab."""
        return tuple(p for p in PLANES if p is PLANES[0] or self.ratio(p) >= THINNEST)

    def ratio(self, plane: Plane) -> float:
        """Return height over width of the plane in mm."""
        return self._ratio(plane, self.shape)

    def zoom_ratio(self, plane: Plane) -> float:
        """Return height over width of the box in mm."""
        return self._ratio(plane, tuple(b - a for a, b in zip(self.start, self.stop, strict=True)))

    def _ratio(self, plane: Plane, size: tuple[int, ...]) -> float:
        v, h = plane.vertical, plane.horizontal
        return size[v] * self.spacing_mm[v] / (size[h] * self.spacing_mm[h])


def frame_of(view: View, volume: Volume) -> Frame:
    """Return the frame of a view on a volume; the box is moved inwards where it would reach outside.

    Raises
    ------
    SettingsError
        If the point or the centre of the box lies outside the volume.
    """
    shape = volume.shape
    z, y, x = (n // 2 for n in shape)
    point = view.point or (z, y, x)
    centre = view.zoom_centre or point
    for name, voxel in (("point", point), ("zoom_centre", centre)):
        if any(not 0 <= i < n for i, n in zip(voxel, shape, strict=True)):
            raise SettingsError(
                f"view: {name}: found voxel {voxel}, {volume.name} accepts (0, 0, 0) to "
                f"{tuple(n - 1 for n in shape)} (z, y, x)"
            )
    size = [min(view.zoom_size, n) for n in shape]
    a, b, c = (min(max(i - s // 2, 0), n - s) for i, s, n in zip(centre, size, shape, strict=True))
    return Frame(shape, volume.spacing_mm, point, (a, b, c), (a + size[0], b + size[1], c + size[2]))


def point_of(volume: Volume, point: Triple) -> str:
    """Return a voxel (z, y, x) with its position in mm: ``R 3.0  P 12.5  S 40.0 mm``."""
    x, y, z = (volume.affine @ [*point[::-1], 1])[:3]
    return point_text((float(z), float(y), float(x)))
