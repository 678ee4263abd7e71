"""Small volumes to be measured: a torso in HU and a head in arbitrary units, of sizes no network divides."""

from __future__ import annotations

import numpy as np

from napari_vol2vol.volume import Volume


def _grid(shape):
    return np.meshgrid(*[np.linspace(-1, 1, n) for n in shape], indexing="ij")


def small_torso(slices: int = 5) -> Volume:
    """An ellipse of 40 HU with a bright column that fades along z, in air; 22 x 26 pixels of 1.5 mm."""
    z, y, x = _grid((slices, 22, 26))
    tissue = 40 + 200 * (np.hypot(x - 0.2, y) < 0.25) + 60 * z
    data = np.where(np.hypot(x / 0.85, y / 0.7) < 1, tissue, -1000)
    return Volume.from_array(data, (3, 1.5, 1.5), units="HU", modality="CT", name="torso")


def small_head(slices: int = 5) -> Volume:
    """An ellipse of 60 with a brighter block, on 1."""
    z, y, x = _grid((slices, 22, 26))
    inside = 60 + 30 * (np.abs(x) < 0.3) * (np.abs(y - 0.1) < 0.2) + 5 * z
    return Volume.from_array(
        np.where(np.hypot(x / 0.85, y / 0.7) < 1, inside, 1), name="head", modality="T1w"
    )
