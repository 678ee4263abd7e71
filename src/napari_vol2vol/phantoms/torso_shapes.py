"""Shapes that procedural torsos are built of: ellipsoids, tubes along curves, smooth random fields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.interpolate import CubicSpline
from scipy.spatial import cKDTree

FloatArray = NDArray[np.float32]
Point = tuple[float, float, float]


def smooth_field(
    rng: np.random.Generator, shape: Sequence[int], spacing_mm: Sequence[float], wavelength_mm: float
) -> FloatArray:
    """Return a random field of unit variance whose bumps are about ``wavelength_mm`` apart."""
    cells = [max(4, int(np.ceil(n * s / wavelength_mm)) + 3) for n, s in zip(shape, spacing_mm, strict=True)]
    coarse = rng.standard_normal(cells).astype(np.float32)
    where = np.meshgrid(
        *[
            rng.uniform(0, 1) + 1 + np.arange(n, dtype=np.float32) * (s / wavelength_mm)
            for n, s in zip(shape, spacing_mm, strict=True)
        ],
        indexing="ij",
        sparse=True,
    )
    index = [np.broadcast_to(w, tuple(shape)) for w in where]
    field = ndimage.map_coordinates(coarse, index, order=3, mode="grid-wrap")
    return np.asarray(field / max(float(field.std()), 1e-6), np.float32)


@dataclass(frozen=True)
class Space:
    """Positions in mm `(z, y, x)` of every voxel: z up, y forwards, x to the patient's right.

    The middle of the grid is 0, or ``middle_mm`` along z. They are bent by a smooth random field, so that no
    organ is an exact ellipsoid.
    """

    z: FloatArray
    y: FloatArray
    x: FloatArray
    spacing_mm: tuple[float, float, float]

    @classmethod
    def bent(
        cls,
        rng: np.random.Generator,
        shape: tuple[int, int, int],
        spacing_mm: tuple[float, float, float],
        amplitude_mm: float = 4.0,
        middle_mm: float = 0.0,
    ) -> Space:
        """Return the positions of a grid, ``middle_mm`` up along z, displaced by bumps of two sizes."""
        axes = [
            (np.arange(n, dtype=np.float32) - (n - 1) / 2) * s for n, s in zip(shape, spacing_mm, strict=True)
        ]
        axes[0] += np.float32(middle_mm)
        grids = np.meshgrid(*axes, indexing="ij")
        for grid in grids:
            grid += amplitude_mm * smooth_field(rng, shape, spacing_mm, 90.0)
            grid += 0.25 * amplitude_mm * smooth_field(rng, shape, spacing_mm, 35.0)
        z, y, x = (np.asarray(g, np.float32) for g in grids)
        return cls(z, y, x, spacing_mm)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of the grid."""
        a, b, c = self.z.shape
        return a, b, c

    def ellipsoid(self, centre: Point, radii: Point, power: float = 2.0) -> FloatArray:
        """Return a function that is below 1 inside: ``sum |(p - centre) / radius| ** power``."""
        parts = zip((self.z, self.y, self.x), centre, radii, strict=True)
        return np.asarray(sum(np.abs((p - c) / r) ** power for p, c, r in parts), np.float32)

    def tube(
        self, points: Sequence[Point], radius_mm: float, end_radius_mm: float | None = None
    ) -> NDArray[np.bool_]:
        """Return the voxels within a radius of a smooth curve through points (z, y, x) in mm.

        The radius changes evenly from the first to the last point.
        """
        curve, radii = along(points, radius_mm, radius_mm if end_radius_mm is None else end_radius_mm)
        widest = float(radii.max())
        low, high = curve.min(0) - widest, curve.max(0) + widest
        near = np.ones(self.shape, bool)
        for position, lo, hi in zip((self.z, self.y, self.x), low, high, strict=True):
            near &= (position >= lo) & (position <= hi)
        inside = np.zeros(self.shape, bool)
        candidates = np.stack([p[near] for p in (self.z, self.y, self.x)], -1)
        if len(candidates):
            distance, index = cKDTree(curve).query(candidates, distance_upper_bound=widest)
            hit = np.isfinite(distance)
            hit[hit] = distance[hit] <= radii[index[hit]]
            inside[near] = hit
        return inside


def along(
    points: Sequence[Point], first: float, last: float, step_mm: float = 0.7
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return points (n, 3) every ``step_mm`` on a spline through ``points``, and a radius at each."""
    knots = np.asarray(points, np.float64)
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(knots, axis=0), axis=1))])
    fine = np.linspace(0, length[-1], max(2, int(length[-1] / step_mm)))
    return CubicSpline(length, knots)(fine), np.linspace(first, last, len(fine))
