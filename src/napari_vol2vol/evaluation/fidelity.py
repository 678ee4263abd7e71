"""Fidelity of a volume to its reference: PSNR, SSIM, MAE, with the data range stated."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from napari_vol2vol.errors import VolumeError
from napari_vol2vol.volume import Volume, check_reference

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class Fidelity:
    """PSNR in dB and SSIM for the stated ``data_range``, MAE in the volumes' units, over ``voxels``."""

    psnr: float
    ssim: float
    mae: float
    data_range: float
    voxels: int

    def as_dict(self) -> dict[str, float]:
        """Return the figures as a dictionary."""
        return asdict(self)


def default_data_range(reference: FloatArray) -> float:
    """Return the 99.5th percentile of the reference minus its minimum."""
    return float(np.percentile(reference, 99.5) - reference.min()) or 1.0


def ssim_map(x: FloatArray, reference: FloatArray, data_range: float) -> FloatArray:
    """Return the 3D SSIM map (Wang et al. 2004: Gaussian window, sigma 1.5 voxels, K1 = 0.01, K2 = 0.03)."""
    from skimage.metrics import structural_similarity

    _, full = structural_similarity(
        reference,
        x,
        data_range=data_range,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )
    return np.asarray(full, np.float32)


def fidelity(
    volume: Volume, reference: Volume, *, mask: Volume | None = None, data_range: float | None = None
) -> Fidelity:
    """Compare a volume with its reference.

    Parameters
    ----------
    mask : Volume, optional
        Voxels above 0.5 count; SSIM is the mean of the SSIM map inside.
    data_range : float, optional
        Peak for PSNR and SSIM; by default the reference's 99.5th percentile minus its minimum.

    Raises
    ------
    VolumeError
        If the grids differ, the volume is smaller than the SSIM window, or the mask is empty.
    """
    check_reference(volume, reference)
    if min(volume.shape) < 11:
        raise VolumeError(
            f"{volume.name}: shape {volume.shape}, SSIM needs at least 11 voxels along each axis"
        )
    peak = default_data_range(reference.data) if data_range is None else data_range
    inside = np.ones(volume.shape, bool)
    if mask is not None:
        check_reference(volume, mask)
        inside = mask.data > 0.5
        if not inside.any():
            raise VolumeError(f"mask {mask.name}: no voxel above 0.5, accepted is a mask with at least one")
    difference = (volume.data - reference.data)[inside].astype(np.float64)
    mse = float(np.mean(difference**2))
    return Fidelity(
        psnr=float("inf") if mse == 0 else 10 * float(np.log10(peak**2 / mse)),
        ssim=float(ssim_map(volume.data, reference.data, peak)[inside].mean()),
        mae=float(np.abs(difference).mean()),
        data_range=peak,
        voxels=int(inside.sum()),
    )


def mean_absolute_calibration_error(std: FloatArray, mean: FloatArray, reference: FloatArray) -> float:
    """Return MACE, the mean of ``|sigma - |reference - mean||`` (Score-Fusion, eq. 5)."""
    return float(np.abs(std - np.abs(reference - mean)).mean())
