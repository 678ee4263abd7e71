"""MRI: k-space simulated from a volume or read from a file, and the operator that belongs to it.

Model space is the image over the 99.5th percentile of the zero-filled magnitude: real where the image has no
phase, else `(2, D, H, W)`. An operator of unit norm measures ``A m = gain / percentile * k-space``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_vol2vol.errors import SettingsError, VolumeError
from napari_vol2vol.measured import MeasuredMRI
from napari_vol2vol.metrics.fidelity import PERCENTILE
from napari_vol2vol.options import check_settings, setting
from napari_vol2vol.volume import Volume

if TYPE_CHECKING:
    from torch import Tensor

    from napari_vol2vol.physics.coil_sampling import CoilSampling
    from napari_vol2vol.physics.fourier_sampling import FourierSampling
    from napari_vol2vol.sampling.measurement import Observed

MASKS = ("poisson3d", "poisson2d", "uniform1d", "file")
READOUTS = ("none", "z", "y", "x")
PHASES = ("none", "smooth")
#: The last operators, by the arrays they were made of: the norm of one with many coils takes seconds to find.
_KEPT: list[tuple[tuple[object, object, bool], FourierSampling | CoilSampling]] = []


@dataclass(frozen=True)
class MriSimulation:
    """How k-space is measured from a volume of magnitudes.

    ``poisson3d`` is a 3D acquisition read out along z, so that all slices share one Poisson-disc mask;
    ``poisson2d`` gives every slice a mask of its own; ``uniform1d`` leaves out whole lines of k-space.
    """

    mask: str = setting("poisson3d", "one Poisson disc for all slices, one for each, whole lines, or a file",
                        choices=MASKS)  # fmt: skip
    acceleration: float = setting(8.0, "places of k-space over those sampled", low=1, high=64)
    acs: float = setting(0.08, "share of each axis that is fully sampled in the middle", low=0, high=1)
    coils: int = setting(1, "receiver coils, with simulated maps", low=1, high=64)
    phase: str = setting("none", "a real image, or a smooth phase that makes it complex", choices=PHASES)
    noise: float = setting(
        0.01, "standard deviation of the noise, for an operator of unit norm and an image from 0 to 1",
        low=0, high=10,
    )  # fmt: skip
    measurement_seed: int = setting(0, "same seed, same mask, phase and noise", low=0, high=2**31 - 1)
    mask_file: str = setting("", "NumPy or HDF5 file with the array mask, for mask file")

    def __post_init__(self) -> None:
        check_settings(self)
        if (self.mask == "file") != bool(self.mask_file):
            raise SettingsError(
                f"mask, mask_file: found {self.mask!r} and {self.mask_file!r}, accepted is a file name with "
                "mask file, and none with the others"
            )


@dataclass(frozen=True)
class MriLoading:
    """What a file with k-space does not say."""

    pixel_mm: float = setting(1.0, "edge of a pixel of the image", low=1e-3, unit="mm")
    slice_mm: float = setting(1.0, "distance of slices", low=1e-3, unit="mm")
    readout: str = setting("none", "axis of a 3D acquisition that is fully sampled; none: slices, or done",
                           choices=READOUTS)  # fmt: skip
    centred: bool = setting(True, "whether the zero frequency lies in the middle of rows and columns")
    layout: str = setting("", "axes of the array: c (coils), z, y, x; empty: as usual for the file")
    coil_maps: str = setting("", "file with the array coil_maps; empty: estimated by ESPIRiT from the middle")
    calibration: int = setting(24, "edge of the middle of k-space that ESPIRiT takes", low=4)
    sigma: float | None = setting(None, "standard deviation of the noise of k-space; auto: unknown", low=0,
                                  kind=float, optional=True)  # fmt: skip

    def __post_init__(self) -> None:
        check_settings(self)


def simulate(volume: Volume, how: MriSimulation) -> Volume:
    """Return the zero-filled magnitude of the noisy, undersampled k-space of a volume, with it beside it.

    Raises
    ------
    VolumeError
        If the volume is constant or mostly negative.
    SettingsError
        If the mask cannot be made as asked for, or does not fit the volume.
    """
    import torch

    from napari_vol2vol.physics.coil_maps import birdcage
    from napari_vol2vol.physics.fourier import as_channels
    from napari_vol2vol.physics.noise import measured
    from napari_vol2vol.tasks.conditions import intensity_of

    top = intensity_of(volume).scale
    image = torch.from_numpy(volume.data / np.float32(top))
    smooth = how.phase == "smooth"
    if smooth:
        image = as_channels(torch.polar(image, smooth_phase(volume.shape, how.measurement_seed)))
    maps = birdcage(how.coils, volume.shape).numpy() if how.coils > 1 else None
    scan = MeasuredMRI(
        np.zeros((how.coils, *volume.shape), np.complex64), mask_of(volume.shape, how), maps, smooth
    )
    operator = operator_of(scan)
    y = measured(operator, image, how.noise, how.measurement_seed)
    scale = top / operator.gain
    scan = replace(
        scan, kspace=np.asarray((y if how.coils > 1 else y[None]) * scale, np.complex64),
        sigma=how.noise * scale,
        origin={"simulated": True, "mask": how.mask, "acs": how.acs, "phase": how.phase, "noise": how.noise,
                "measurement_seed": how.measurement_seed},
    )  # fmt: skip
    return _shown(scan, volume, f"{volume.name} · {scan.acceleration:.3g}× undersampled")


def load(path: Path, how: MriLoading) -> Volume:
    """Return the zero-filled magnitude of k-space in a file, with the k-space beside it.

    The file says nothing of the patient: rows of the image are taken for y, columns for x.

    Raises
    ------
    VolumeError, SettingsError
        See `napari_vol2vol.io.raw_data.read_kspace`; if there are several coils but neither maps nor sigpy.
    """
    import torch

    from napari_vol2vol.io.raw_data import read_coil_maps, read_kspace
    from napari_vol2vol.physics.coil_maps import espirit
    from napari_vol2vol.physics.fourier_sampling import along_readout

    found = read_kspace(path, how.layout or None, centred=how.centred)
    kspace, mask = torch.from_numpy(found.data), found.mask
    if how.readout != "none":
        axis = READOUTS.index(how.readout) - 4
        kspace = along_readout(kspace, axis)
        mask = np.moveaxis(np.broadcast_to(mask, found.data.shape[1:]), axis, -3)
        mask = mask[0] if (mask == mask[:1]).all() else mask
    maps: NDArray[np.complex64] | None = None
    if how.coil_maps:
        maps = read_coil_maps(how.coil_maps)
    elif len(kspace) > 1:
        maps = espirit(kspace, how.calibration).numpy()
    scan = MeasuredMRI(
        np.ascontiguousarray(kspace.numpy(), np.complex64), np.array(mask), maps, True, how.sigma,
        {"simulated": False, "file": path.name},
    )  # fmt: skip
    spacing = (how.slice_mm, how.pixel_mm, how.pixel_mm)
    return _shown(scan, Volume.from_array(np.zeros(scan.shape, np.float32), spacing), path.name)


def _shown(scan: MeasuredMRI, grid: Volume, name: str) -> Volume:
    image = raw_zero_filled(scan)
    data = image.square().sum(0).sqrt() if scan.complex_image else image
    provenance = {"generated": False, "measured": scan.summary()}
    return replace(grid.with_data(data.numpy(), name=name, provenance=provenance), measured=scan)


def raw_zero_filled(scan: MeasuredMRI) -> Tensor:
    """Return the zero-filled image in the units of k-space, `(D, H, W)` or `(2, D, H, W)`."""
    from napari_vol2vol.physics.reconstructions import zero_filled

    operator = operator_of(scan)
    return zero_filled(operator, _kspace(scan) * operator.gain)


def percentile_of(image: Tensor) -> float:
    """Return what is 1 in model space: the 99.5th percentile of the magnitude.

    Raises
    ------
    VolumeError
        If it is zero.
    """
    magnitude = image.abs() if image.ndim == 3 else image.square().sum(0).sqrt()
    top = float(np.percentile(magnitude.numpy(), PERCENTILE))
    if not top > 0:
        raise VolumeError("k-space: found no signal, accepted is one whose zero-filled image is not empty")
    return top


def observed_of(scan: MeasuredMRI, top: float) -> Observed:
    """Return k-space in model space, where ``top`` is 1, with its operator."""
    from napari_vol2vol.sampling.measurement import Observed

    operator = operator_of(scan)
    scale = operator.gain / top
    return Observed(_kspace(scan) * scale, operator, None if scan.sigma is None else scan.sigma * scale)


def operator_of(scan: MeasuredMRI) -> FourierSampling | CoilSampling:
    """Return the sampling operator of k-space, with its coils where there are several."""
    import torch

    from napari_vol2vol.physics.coil_sampling import CoilSampling
    from napari_vol2vol.physics.fourier_sampling import FourierSampling

    key = scan.mask, scan.coil_maps, scan.complex_image
    for kept, operator in _KEPT:
        if all(a is b for a, b in zip(kept, key, strict=True)):
            return operator
    made: FourierSampling | CoilSampling
    made = FourierSampling(torch.from_numpy(scan.mask), 2, scan.complex_image)
    if scan.coil_maps is not None:
        made = CoilSampling(made, torch.from_numpy(scan.coil_maps))
    _KEPT[:] = [*_KEPT[-1:], (key, made)]
    return made


def _kspace(scan: MeasuredMRI) -> Tensor:
    import torch

    kspace = torch.from_numpy(scan.kspace)
    return kspace[0] if scan.coil_maps is None else kspace


def mask_of(shape: tuple[int, int, int], how: MriSimulation) -> NDArray[np.bool_]:
    """Return the mask of a simulation, `(H, W)` or `(D, H, W)`.

    Raises
    ------
    SettingsError, VolumeError
        If it cannot be made as asked for, or the one in the file has another shape.
    """
    from napari_vol2vol.io.raw_data import read_mask
    from napari_vol2vol.physics.masks import poisson_disc, uniform_1d

    depth, height, width = shape
    seed, plane = how.measurement_seed, (height, width)
    if how.mask == "file":
        mask = read_mask(how.mask_file)
        if mask.shape not in (plane, shape):
            raise SettingsError(f"mask_file: found shape {mask.shape}, accepted are {plane} and {shape}")
        return mask
    if how.mask == "uniform1d":
        return uniform_1d(plane, how.acceleration, how.acs, seed=seed)
    centre = (max(1, round(how.acs * height)), max(1, round(how.acs * width)))
    if how.mask == "poisson3d":
        return poisson_disc(plane, how.acceleration, calibration=centre, seed=seed)
    masks = [poisson_disc(plane, how.acceleration, calibration=centre, seed=seed + i) for i in range(depth)]
    return np.stack(masks)


def smooth_phase(shape: tuple[int, int, int], seed: int) -> Tensor:
    """Return a phase `(D, H, W)` in radians made of a few long waves, about one turn from end to end."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    lines = [torch.linspace(-0.5, 0.5, n) for n in shape]
    z, y, x = torch.meshgrid(*lines, indexing="ij")
    phase = torch.zeros(shape)
    for _ in range(4):
        a, b, c = (2 * torch.rand(3, generator=generator) - 1).tolist()
        start = float(torch.rand((), generator=generator)) * 2 * np.pi
        phase += torch.sin(2 * np.pi * (a * z + b * y + c * x) + start)
    return phase
