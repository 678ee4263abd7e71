"""Multi-scale structural similarity in 3D."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from napari_vol2vol.metrics.arrays import MetricError, check_same_shape

FloatArray = NDArray[np.float32]

WINDOW = 11
MS_SSIM_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents of Wang et al. 2003, sec. 3.2, from the finest scale to the coarsest."""


def smallest_axis(scales: int) -> int:
    """Return the fewest voxels along an axis that leave one whole window at the coarsest of ``scales``.

    Each scale halves the volume, so that is ``11 * 2^(scales - 1)``: 176 for the five scales of the paper.
    MONAI's own check asks for ``11 * (scales - 1)^2``, which is one window more at four scales.
    """
    return WINDOW * max(1 << (scales - 1), (scales - 1) ** 2)


def ms_ssim(
    x: FloatArray, reference: FloatArray, data_range: float, weights: Sequence[float] = MS_SSIM_WEIGHTS
) -> float:
    """Return the multi-scale SSIM of two volumes (Wang, Simoncelli and Bovik 2003, eq. 7), by MONAI.

    The product over the scales of the mean contrast-structure term to the power of its weight, with the mean
    SSIM at the coarsest scale. The window is that of `ssim_map` (11^3, sigma 1.5 voxels, K1 = 0.01,
    K2 = 0.03), only where it lies wholly inside; between scales the volume is averaged over 2 x 2 x 2.
    Negative means count as 0. Computed in float32 on the CPU.

    Parameters
    ----------
    x, reference : array, shape (z, y, x)
    data_range : float
        Peak of the SSIM constants, in the arrays' units.
    weights : sequence of float
        One exponent a scale, finest first.

    Raises
    ------
    MetricError
        If the shapes differ, are not 3D, or an axis is too short for that many scales.
    """
    check_same_shape(x=x, reference=reference)
    needed = smallest_axis(len(weights))
    if x.ndim != 3 or min(x.shape) < needed:
        raise MetricError(
            f"MS-SSIM: found shape {x.shape}, accepted are three axes of at least {needed} voxels "
            f"({len(weights)} scales, a window of {WINDOW})"
        )
    import torch
    from monai.metrics.regression import compute_ms_ssim

    found, truth = (torch.from_numpy(np.ascontiguousarray(v, np.float32))[None, None] for v in (x, reference))
    with torch.inference_mode():
        return float(
            compute_ms_ssim(
                found, truth, spatial_dims=3, data_range=data_range, kernel_size=WINDOW, kernel_sigma=1.5,
                k1=0.01, k2=0.03, weights=tuple(weights),
            )
        )  # fmt: skip
