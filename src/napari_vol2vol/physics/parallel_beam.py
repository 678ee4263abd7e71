"""Parallel-beam CT."""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot
from typing import Self

import numpy as np

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.physics.footprints import FloatArray, Footprints
from napari_vol2vol.physics.projector import Projector


@dataclass(frozen=True)
class ParallelBeam(Projector):
    """Parallel rays; the view at ``angle`` has the detector coordinate ``s = x cos(angle) + y sin(angle)``.

    x points to the right of the image and y up, so the view at 0 degrees sums over rows, as
    `skimage.transform.radon` has it. See `Projector` for the parameters.
    """

    @classmethod
    def evenly(
        cls,
        shape: tuple[int, int],
        views: int,
        *,
        arc_deg: float = 180.0,
        start_deg: float = 0.0,
        bins: int = 0,
        spacing: float = 1.0,
    ) -> Self:
        """Return ``views`` views from ``start_deg`` over ``arc_deg`` degrees, the end left out."""
        if views < 1:
            raise SettingsError(f"views: found {views}, accepted are 1 or more")
        angles = start_deg + arc_deg * np.arange(views) / views
        return cls(shape, tuple(angles.tolist()), bins, spacing)

    @property
    def reach(self) -> float:
        """Half the diagonal of the image."""
        return hypot(*self.shape) / 2

    def footprints(self, angle: float) -> Footprints:
        """Return the shadows: a square's is a trapezoid of width ``|cos| + |sin|``, exactly."""
        middle, _ = self.traces(angle)
        cosine, sine = abs(np.cos(angle)), abs(np.sin(angle))
        corners = np.array([-cosine - sine, -abs(cosine - sine), abs(cosine - sine), cosine + sine]) / 2
        edges = middle + (corners / self.spacing)[:, None]
        return Footprints(edges, np.full(middle.size, 1 / max(cosine, sine)))

    def traces(self, angle: float) -> tuple[FloatArray, FloatArray]:
        """Return where the middle of each pixel falls, and ones."""
        x, y = self.pixel_centres()
        position = (x * np.cos(angle) + y * np.sin(angle)) / self.spacing + self.bins / 2
        return position, np.ones_like(position)

    @property
    def ray_weights(self) -> FloatArray:
        """Ones."""
        return np.ones(self.bins)

    @property
    def view_weights(self) -> FloatArray:
        """Half the way to both neighbours on the half circle; a wide gap without views counts to none."""
        angles = np.deg2rad(self.angles_deg) % np.pi
        order = np.argsort(angles, kind="stable")
        gaps = np.diff(angles[order], append=angles[order[0]] + np.pi)
        covered = gaps < 4 * np.pi / self.views
        gaps = np.where(covered, gaps, gaps[covered].mean() if covered.any() else np.pi / self.views)
        weights = np.empty(self.views)
        weights[order] = (gaps + np.roll(gaps, 1)) / 2
        return weights
