"""What a case looks like on the screen: slices, crosshair, zoom and window, linked over all volumes. No Qt.

World coordinates are mm in the order (z, y, x), growing towards superior, anterior and the patient's right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_vol2vol.anatomical_planes import Convention, Plane
from napari_vol2vol.volume import Volume

ZOOM_RANGE = (0.5, 12.0)
#: Dragging this many pixels changes the window by the whole range it had when the drag began.
PIXELS_PER_RANGE = 300.0
#: What an upward drag does to the picture.
DRAG_UP = ("darker", "brighter")

Limits = tuple[float, float]


@dataclass(frozen=True)
class ScreenGrid:
    """Shape, spacing in mm and first voxel's centre in mm of one volume, each (z, y, x)."""

    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    origin_mm: tuple[float, float, float]

    @classmethod
    def of(cls, volume: Volume) -> ScreenGrid:
        """Return where a volume lies when it is shown along its own axes, as the three views show it."""
        _, keywords, _ = volume.to_layer()
        return cls(volume.shape, tuple(keywords["scale"]), tuple(keywords["translate"]))

    def index(self, axis: int, mm: float) -> int:
        """Return the slice at a position, the nearest one outside the volume."""
        found = round((mm - self.origin_mm[axis]) / self.spacing_mm[axis])
        return min(max(found, 0), self.shape[axis] - 1)

    def mm(self, axis: int, index: int) -> float:
        """Return the centre of a slice."""
        return self.origin_mm[axis] + index * self.spacing_mm[axis]

    def ends(self, axis: int) -> tuple[float, float]:
        """Return the outer edges of the first and the last voxel."""
        half = self.spacing_mm[axis] / 2
        return self.mm(axis, 0) - half, self.mm(axis, self.shape[axis] - 1) + half


class ViewState:
    """The linked state of one trial's volumes: what is moved in one view moves in all."""

    def __init__(
        self, volumes: Sequence[Volume], limits: Limits, convention: Convention = "radiological"
    ) -> None:
        self.volumes = tuple(volumes)
        self.grids = tuple(ScreenGrid.of(volume) for volume in volumes)
        self.convention = convention
        self.first_limits = self.limits = limits
        self.zoom = 1.0
        self.point = self.centre = self.middle()

    def release(self) -> None:
        """Let go of the volumes; nothing can be painted afterwards."""
        self.volumes = ()

    def middle(self) -> tuple[float, float, float]:
        """Return the centre of the middle voxel of the first volume."""
        grid = self.grids[0]
        z, y, x = (grid.mm(axis, (grid.shape[axis] - 1) // 2) for axis in range(3))
        return z, y, x

    def reset(self) -> None:
        """Go back to the first view; the window stays."""
        self.zoom, self.point = 1.0, self.middle()
        self.centre = self.point

    def index(self, position: int, plane: Plane) -> int:
        """Return which slice of a volume a plane shows."""
        return self.grids[position].index(plane.axis, self.point[plane.axis])

    def scroll(self, plane: Plane, slices: int) -> None:
        """Move by whole slices of the first volume, up to the ends."""
        grid, axis = self.grids[0], plane.axis
        index = min(max(grid.index(axis, self.point[axis]) + slices, 0), grid.shape[axis] - 1)
        self.move_to({axis: grid.mm(axis, index)})

    def move_to(self, mm: dict[int, float]) -> None:
        """Put the crosshair at a position on some axes, inside the first volume."""
        grid = self.grids[0]
        z, y, x = (
            grid.mm(axis, grid.index(axis, mm[axis])) if axis in mm else self.point[axis] for axis in range(3)
        )
        self.point = z, y, x

    def zoom_by(self, factor: float) -> None:
        """Zoom around the centre of the views."""
        low, high = ZOOM_RANGE
        self.zoom = min(max(self.zoom * factor, low), high)

    def pan(self, mm: dict[int, float]) -> None:
        """Move the centre of the views."""
        z, y, x = (self.centre[axis] + mm.get(axis, 0.0) for axis in range(3))
        self.centre = z, y, x

    def window(self) -> tuple[float, float]:
        """Return width and level."""
        low, high = self.limits
        return high - low, (low + high) / 2

    def slice_bytes(self, position: int, plane: Plane) -> NDArray[np.uint8]:
        """Return a slice as it is painted, first row on top, 0 to 255 in the window."""
        data = np.take(self.volumes[position].data, self.index(position, plane), axis=plane.axis)
        low, high = self.limits
        grey = np.clip((data - low) * (255.0 / (high - low)), 0, 255).astype(np.uint8)
        grey = grey[::-1]
        return np.ascontiguousarray(grey if plane.grows_right(self.convention) else grey[:, ::-1])


def dragged(start: Limits, right_px: float, down_px: float, up: str = DRAG_UP[0]) -> Limits:
    """Return the limits after a drag: right widens the window, up raises its level (or lowers it).

    A higher level makes the picture darker. The width stays at least a thousandth of what it was.
    """
    low, high = start
    span = high - low
    sign = -1.0 if up == DRAG_UP[0] else 1.0
    level = (low + high) / 2 + sign * down_px * span / PIXELS_PER_RANGE
    width = max(span * (1 + right_px / PIXELS_PER_RANGE), span * 1e-3)
    return level - width / 2, level + width / 2
