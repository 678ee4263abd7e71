"""Fidelity of a volume to its reference: PSNR, SSIM, MAE, with the data range stated."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from napari_vol2vol.errors import VolumeError
from napari_vol2vol.volume import Volume, check_reference

FloatArray = NDArray[np.float32]

PERCENTILE = 99.5


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
    """Return the 99.5th percentile of the reference minus its minimum; 1 for a constant reference."""
    return float(np.percentile(reference, PERCENTILE) - reference.min()) or 1.0


def mean_squared_error(x: FloatArray, reference: FloatArray) -> float:
    """Return the mean of ``(x - reference)^2``, summed in float64."""
    return float(np.mean(np.square(x - reference), dtype=np.float64))


def mean_absolute_error(x: FloatArray, reference: FloatArray) -> float:
    """Return the mean of ``|x - reference|``, summed in float64, in the arrays' units."""
    return float(np.mean(np.abs(x - reference), dtype=np.float64))


def psnr(x: FloatArray, reference: FloatArray, data_range: float) -> float:
    """Return the peak signal-to-noise ratio ``10 log10(data_range^2 / MSE)`` in dB; infinite if MSE is 0."""
    mse = mean_squared_error(x, reference)
    return float("inf") if mse == 0 else 10 * float(np.log10(data_range**2 / mse))


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


def mask_voxels(volume: Volume, mask: Volume | None) -> NDArray[np.bool_]:
    """Return where the mask is above 0.5, shape ``(z, y, x)``; everywhere without a mask.

    Raises
    ------
    VolumeError
        If the mask lies on another grid than the volume or is empty.
    """
    if mask is None:
        return np.ones(volume.shape, bool)
    check_reference(volume, mask)
    inside: NDArray[np.bool_] = mask.data > 0.5
    if not inside.any():
        raise VolumeError(f"mask {mask.name}: no voxel above 0.5, accepted is a mask with at least one")
    return inside


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
    inside = mask_voxels(volume, mask)
    x, truth = volume.data[inside], reference.data[inside]
    return Fidelity(
        psnr=psnr(x, truth, peak),
        ssim=float(ssim_map(volume.data, reference.data, peak)[inside].mean()),
        mae=mean_absolute_error(x, truth),
        data_range=peak,
        voxels=int(inside.sum()),
    )
