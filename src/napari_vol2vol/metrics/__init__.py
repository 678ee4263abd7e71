"""Figures of merit: fidelity, calibration, information, distances of distributions; no torch at import."""

from napari_vol2vol.metrics.arrays import MetricError
from napari_vol2vol.metrics.calibration import (
    coverage,
    mean_absolute_calibration_error,
    uncertainty_error_correlation,
)
from napari_vol2vol.metrics.comparison import Comparison, compare
from napari_vol2vol.metrics.distributions import (
    Discrepancy,
    frechet_distance,
    kernel_distance,
    mmd_squared,
    split_half,
)
from napari_vol2vol.metrics.fidelity import (
    PERCENTILE,
    Fidelity,
    default_data_range,
    fidelity,
    mean_absolute_error,
    mean_squared_error,
    psnr,
    ssim_map,
)
from napari_vol2vol.metrics.information import mutual_information, normalised_mutual_information
from napari_vol2vol.metrics.multi_scale import MS_SSIM_WEIGHTS, ms_ssim, smallest_axis
from napari_vol2vol.metrics.sparsification import Sparsification, ause, sparsification
from napari_vol2vol.metrics.volume_mmd import volume_mmd

__all__ = [
    "MS_SSIM_WEIGHTS",
    "PERCENTILE",
    "Comparison",
    "Discrepancy",
    "Fidelity",
    "MetricError",
    "Sparsification",
    "ause",
    "compare",
    "coverage",
    "default_data_range",
    "fidelity",
    "frechet_distance",
    "kernel_distance",
    "mean_absolute_calibration_error",
    "mean_absolute_error",
    "mean_squared_error",
    "mmd_squared",
    "ms_ssim",
    "mutual_information",
    "normalised_mutual_information",
    "psnr",
    "smallest_axis",
    "sparsification",
    "split_half",
    "ssim_map",
    "uncertainty_error_correlation",
    "volume_mmd",
]
