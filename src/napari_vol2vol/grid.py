"""Where voxels lie: shape and affine, and the grids that tile the same field of view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Grid:
    """``shape`` is `(z, y, x)`; ``affine`` (4, 4) maps the index `(x, y, z, 1)` to mm in RAS+."""

    shape: tuple[int, int, int]
    affine: NDArray[np.float64]


def regridded(affine: NDArray[np.float64], scale_zyx: Sequence[float]) -> NDArray[np.float64]:
    """Return the affine of a grid with voxels ``scale`` times as large and the same outer corner."""
    scale = np.array(scale_zyx[::-1])
    change = np.eye(4)
    change[:3, :3] = np.diag(scale)
    change[:3, 3] = (scale - 1) / 2
    return np.asarray(affine @ change)


def finer(grid: Grid, factor: Sequence[int]) -> Grid:
    """Return the grid with every voxel split into ``factor = (kz, ky, kx)``."""
    z, y, x = (n * k for n, k in zip(grid.shape, factor, strict=True))
    return Grid((z, y, x), regridded(grid.affine, [1 / k for k in factor]))
