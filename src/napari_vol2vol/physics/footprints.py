"""From the shadows of pixels on a detector to a sparse system matrix."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


class Footprints(NamedTuple):
    """Shadows of all pixels in one view: trapezoids over the detector coordinate, in units of bins.

    ``edges`` (4, pixels) are the ascending corners, counted from the lower edge of bin 0; ``height``
    (pixels,) is the length of the ray through the middle of a pixel.
    """

    edges: FloatArray
    height: FloatArray


def _area_up_to(position: FloatArray, footprints: Footprints) -> FloatArray:
    """Return the area of each trapezoid below ``position`` (pixels,)."""
    e, height = footprints
    rise, fall = e[1] - e[0], e[3] - e[2]
    up, down = np.clip(position - e[0], 0, rise), np.clip(position - e[2], 0, fall)
    flat = np.clip(position - e[1], 0, e[2] - e[1])
    with np.errstate(divide="ignore", invalid="ignore"):
        ramps = np.where(rise > 1e-12, up**2 / (2 * rise), 0) + np.where(
            fall > 1e-12, down - down**2 / (2 * fall), 0
        )
    return np.asarray(height * (flat + ramps))


def system_matrix(views: Iterator[Footprints], bins: int, pixels: int) -> Any:
    """Return the CSR matrix (views * bins, pixels) of footprints averaged over each detector bin.

    An entry is the share of a bin that a pixel shades times the length of the ray through it: the mean line
    integral over the bin. For a parallel beam this is exact (the area that a pixel and a strip share over the
    width of the strip); for a fan beam it is the separable footprint of Long, Fessler and Balter (2010).
    """
    from scipy import sparse

    return sparse.vstack([_one_view(f, bins, pixels) for f in views], format="csr")


def _one_view(footprints: Footprints, bins: int, pixels: int) -> Any:
    from scipy import sparse

    edges = footprints.edges
    first = np.floor(edges[0])
    below = _area_up_to(first, footprints)
    rows, columns, values = [], [], []
    for offset in range(int(np.ceil((edges[3] - edges[0]).max())) + 1):
        upto = _area_up_to(first + offset + 1, footprints)
        share, below = upto - below, upto
        row = first + offset
        kept = np.flatnonzero((share > 1e-9) & (row >= 0) & (row < bins))
        rows.append(row[kept].astype(np.int32))
        columns.append(kept.astype(np.int32))
        values.append(share[kept])
    entries = np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))
    return sparse.csr_matrix(entries, shape=(bins, pixels))
