"""Fan-beam CT with a flat detector."""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot
from typing import Self

import numpy as np

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.physics.footprints import FloatArray, Footprints
from napari_vol2vol.physics.projector import Projector


@dataclass(frozen=True)
class FanBeam(Projector):
    """Rays from a point ``source_distance`` pixels from the axis of rotation to a flat detector.

    The detector is stated by its image at the axis of rotation: bin widths there are ``spacing``. At angle 0
    the source lies above the image (y up) and the detector coordinate grows with x, so that with a growing
    distance each view becomes that of `ParallelBeam`. See `Projector` for the other parameters.

    Raises
    ------
    SettingsError
        If the source lies inside the circle around the image.
    """

    source_distance: float = 0.0

    def __post_init__(self) -> None:
        if not self.source_distance > hypot(*self.shape) / 2:
            raise SettingsError(
                f"source_distance: found {self.source_distance} pixels, accepted are distances above "
                f"{hypot(*self.shape) / 2:.1f}, outside the circle around the image"
            )
        super().__post_init__()

    @classmethod
    def evenly(
        cls,
        shape: tuple[int, int],
        views: int,
        source_distance: float,
        *,
        arc_deg: float = 360.0,
        start_deg: float = 0.0,
        bins: int = 0,
        spacing: float = 1.0,
    ) -> Self:
        """Return ``views`` views from ``start_deg`` over ``arc_deg`` degrees, the end left out."""
        if views < 1:
            raise SettingsError(f"views: found {views}, accepted are 1 or more")
        angles = start_deg + arc_deg * np.arange(views) / views
        return cls(shape, tuple(angles.tolist()), bins, spacing, source_distance=source_distance)

    @property
    def reach(self) -> float:
        """Where the ray that touches the circle around the image meets the detector (at the axis)."""
        radius = hypot(*self.shape) / 2
        return self.source_distance * radius / float(np.sqrt(self.source_distance**2 - radius**2))

    def shadow(self, x: FloatArray, y: FloatArray, angle: float) -> tuple[FloatArray, FloatArray]:
        """Return the detector coordinate at the axis, in pixels, and the distance from the source plane."""
        along = x * np.cos(angle) + y * np.sin(angle)
        depth = self.source_distance - (y * np.cos(angle) - x * np.sin(angle))
        return self.source_distance * along / depth, depth

    def footprints(self, angle: float) -> Footprints:
        """Return the shadows: the four corners projected; the height is the ray through the middle."""
        x, y = self.pixel_centres()
        offsets = [(-0.5, -0.5), (-0.5, 0.5), (0.5, -0.5), (0.5, 0.5)]
        corners = np.sort([self.shadow(x + dx, y + dy, angle)[0] for dx, dy in offsets], axis=0)
        middle, _ = self.shadow(x, y, angle)
        ray = angle + np.arctan2(middle, self.source_distance)
        length = 1 / np.maximum(np.abs(np.cos(ray)), np.abs(np.sin(ray)))
        return Footprints(corners / self.spacing + self.bins / 2, length)

    def traces(self, angle: float) -> tuple[FloatArray, FloatArray]:
        """Return where the middle of each pixel falls, and ``(source_distance / depth)^2``."""
        position, depth = self.shadow(*self.pixel_centres(), angle)
        return position / self.spacing + self.bins / 2, (self.source_distance / depth) ** 2

    @property
    def ray_weights(self) -> FloatArray:
        """The cosine of the angle between a ray and the central one."""
        position = (np.arange(self.bins) + 0.5 - self.bins / 2) * self.spacing
        return np.asarray(self.source_distance / np.hypot(self.source_distance, position))

    @property
    def view_weights(self) -> FloatArray:
        """Half the angle between views on a full circle, as each ray is measured twice.

        Raises
        ------
        SettingsError
            If the views are not evenly spaced over the full circle.
        """
        angles = np.sort(np.asarray(self.angles_deg) % 360)
        gaps = np.diff(angles, append=angles[0] + 360)
        if not np.allclose(gaps, 360 / self.views, atol=0.01 * 360 / self.views):
            raise SettingsError(
                "angles_deg: found a fan beam whose views are not evenly spaced over 360 degrees; accepted "
                "by filtered back-projection is a full circle, other scans by pseudo_inverse"
            )
        return np.full(self.views, np.pi / self.views)
