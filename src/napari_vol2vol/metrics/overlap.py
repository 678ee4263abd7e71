"""Overlap of a segmented region with the true one."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from napari_vol2vol.metrics.arrays import check_same_shape


def dice(found: ArrayLike, truth: ArrayLike) -> float | None:
    """Return the Dice coefficient ``2 |A and B| / (|A| + |B|)`` of two masks (Dice 1945), by MONAI.

    None where the true region has no voxel: then there is nothing to find.

    Parameters
    ----------
    found, truth : array of bool, shape (z, y, x)

    Raises
    ------
    MetricError
        If the shapes differ.
    """
    a, b = np.asarray(found, bool), np.asarray(truth, bool)
    check_same_shape(found=a, truth=b)
    if not b.any():
        return None
    import torch
    from monai.metrics.meandice import compute_dice

    masks = (torch.from_numpy(np.ascontiguousarray(m))[None, None].float() for m in (a, b))
    return float(compute_dice(*masks, include_background=True))
