"""Two volumes in one picture: checkerboard, wipe, difference; arrays in, array out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
Triple = tuple[float, float, float]


def checkerboard(a: FloatArray, b: FloatArray, spacing_mm: Triple, field_mm: float) -> FloatArray:
    """Return ``a`` and ``b`` in alternating cubes of ``field_mm``, shape (z, y, x)."""
    parity = np.zeros((1, 1, 1), np.int64)
    for axis, (n, spacing) in enumerate(zip(a.shape, spacing_mm, strict=True)):
        shape = [1, 1, 1]
        shape[axis] = n
        parity = parity + np.floor_divide(np.arange(n) * spacing, field_mm).astype(np.int64).reshape(shape)
    return np.where(parity % 2 == 0, a, b).astype(np.float32)


def wipe(a: FloatArray, b: FloatArray, axis: int, index: int) -> FloatArray:
    """Return ``a`` up to slice ``index`` of an axis, and ``b`` from there on."""
    out = np.array(a, np.float32)
    far = [slice(None)] * 3
    far[axis] = slice(max(0, index), None)
    out[tuple(far)] = b[tuple(far)]
    return out


def difference(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return ``a - b``."""
    return np.asarray(a - b, np.float32)
