"""Sensitivities of receiver coils: simulated ones, and ESPIRiT from k-space."""

from __future__ import annotations

from math import pi

import torch
from torch import Tensor

from napari_vol2vol.errors import SettingsError


def birdcage(coils: int, shape: tuple[int, int, int], *, rings: int = 1, distance: float = 1.5) -> Tensor:
    """Return smooth coil maps `(coils, D, H, W)` of loops around the volume, complex64.

    The model of the Michigan Image Reconstruction Toolbox and of `sigpy.mri.birdcage_maps`: a sensitivity
    falls with the distance from its loop, its phase turns with the direction to it. At every voxel the
    squared magnitudes add up to one.

    Parameters
    ----------
    rings : int
        Rings of loops along z, over which the coils are spread.
    distance : float
        Of the loops from the axis; 1 reaches the edge of the volume.

    Raises
    ------
    SettingsError
        If there is no coil, or fewer coils than rings.
    """
    if coils < 1 or not 1 <= rings <= coils:
        raise SettingsError(
            f"coils, rings: found {coils}, {rings}, accepted are 1 or more coils in at most as many rings"
        )
    lines = [torch.linspace(-1, 1, n) if n > 1 else torch.zeros(1) for n in shape]
    z, y, x = torch.meshgrid(*lines, indexing="ij")
    maps = []
    for coil in range(coils):
        ring, around = coil % rings, 2 * pi * coil / coils
        right, up = distance * torch.tensor(around).cos(), distance * torch.tensor(around).sin()
        along = 2 * (ring + 0.5) / rings - 1
        away = torch.stack([z - along, y - up, x - right]).square().sum(0).sqrt()
        phase = torch.atan2(x - right, -(y - up)) + around
        maps.append(torch.polar(1 / away.clamp(min=1e-3), phase))
    stacked = torch.stack(maps)
    return stacked / stacked.abs().square().sum(0).sqrt()


def espirit(kspace: Tensor, calibration: int = 24) -> Tensor:
    """Return coil maps `(coils, D, H, W)` estimated from k-space of that shape, slice by slice (ESPIRiT).

    Needs sigpy, which is optional.

    Raises
    ------
    SettingsError
        If sigpy is not installed, or the k-space has another number of axes or too small a centre.
    """
    if not kspace.is_complex() or kspace.ndim != 4 or min(kspace.shape[-2:]) < calibration:
        raise SettingsError(
            f"kspace: found {kspace.dtype} of shape {tuple(kspace.shape)}, accepted is complex "
            f"(coils, D, H, W) with slices of at least {calibration} x {calibration}"
        )
    try:
        from sigpy.mri.app import EspiritCalib  # type: ignore[import-not-found,unused-ignore]
    except ImportError as error:
        raise SettingsError(
            "coil maps: ESPIRiT needs sigpy, which is not installed; accepted are pip install sigpy, coil "
            "maps from a file, or simulated ones"
        ) from error
    slices = kspace.detach().cpu().movedim(-3, 0).numpy()
    maps = [EspiritCalib(k, calib_width=calibration, show_pbar=False).run() for k in slices]
    return torch.stack([torch.from_numpy(m) for m in maps], dim=1).to(torch.complex64)
