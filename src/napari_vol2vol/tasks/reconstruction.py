"""Reconstruction of a volume from what a scanner measured: sparse-view CT and undersampled MRI."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_vol2vol.errors import VolumeError
from napari_vol2vol.grid import Grid
from napari_vol2vol.measured import MeasuredCT, MeasuredMRI
from napari_vol2vol.tasks import ct_acquisition as ct
from napari_vol2vol.tasks import mri_acquisition as mri
from napari_vol2vol.tasks.super_resolution import NONE
from napari_vol2vol.volume import Volume

if TYPE_CHECKING:
    from napari_vol2vol.sampling.measurement import Measurement

Factor = tuple[int, int, int]
FloatArray = NDArray[np.float32]
PRIORS = ("d3ip-mbir", "d3ip", "d3ip-meta", "ddip", "scd", "diffusion-mbir", "dds", "dps", "ddnm")


class _Reconstruction:
    """The result lies on the grid of the source, which is the classical reconstruction of its measurement."""

    default_factor: Factor = (1, 1, 1)
    simulates = True
    shares_window = True
    accepts_raw = True

    def grid(self, source: Volume, factor: Factor) -> Grid:
        """Return the grid of the result: that of the source."""
        return source.grid

    def finish(self, data: FloatArray, source: Volume, factor: Factor, name: str, target: str) -> Volume:
        """Return a result on the grid of the source, in its units."""
        return source.with_data(data, name=name)


class SparseViewCT(_Reconstruction):
    """From the sinogram of each axial slice, with few views, to HU."""

    name = "sparse-view-ct"
    title = "Sparse-view CT"
    systems: tuple[str, ...] = (*PRIORS, "admm-tv", "fbp")
    simulation = ct.CtSimulation
    loading = ct.CtLoading

    def degrade(self, volume: Volume, how: ct.CtSimulation | None = None, /) -> Volume:
        """Return the filtered back-projection of a simulated sinogram; see `ct_acquisition.simulate`."""
        return ct.simulate(volume, how or ct.CtSimulation())

    def load(self, path: Path, how: ct.CtLoading | None = None, /) -> Volume:
        """Return the filtered back-projection of a sinogram in a file; see `ct_acquisition.load`."""
        return ct.load(path, how or ct.CtLoading())

    def prepare(
        self,
        source: Volume,
        factor: Factor,
        multiple: int,
        inputs: Sequence[str] = (),
        conditions: Mapping[str, Volume] = NONE,
    ) -> Measurement:
        """Return the sinogram in model space (`ct_acquisition`), with the filtered back-projection.

        Raises
        ------
        VolumeError
            If the source has no sinogram beside it.
        """
        import torch

        from napari_vol2vol.sampling.measurement import Measurement

        observed = ct.observed_of(_ct_of(source))
        shown = torch.from_numpy(source.data)  # the filtered back-projection, in HU
        return Measurement({}, shown, ct.intensity(), _whole(source), observed, stored_as="physical")

    def match(self, reference: Volume) -> Volume:
        """Return the reference with values below vacuum (the padding of scanners) set to vacuum."""
        return reference.with_data(np.maximum(reference.data, -1000.0))

    def remarks(self, source: Volume) -> list[str]:
        """Return a sentence where the orientation or the noise is not known."""
        return _remarks(source)

    def pictures(self, source: Volume) -> dict[str, Volume]:
        """Return the sinogram, views and bins in place of rows and columns."""
        scan = _ct_of(source)
        spacing = (source.spacing_mm[0], 1.0, scan.bin_mm)
        return {"sinogram": Volume.from_array(scan.sinogram, spacing, name=f"{source.name} · sinogram")}


class MRIReconstruction(_Reconstruction):
    """From the undersampled k-space of each slice to its magnitude."""

    name = "mri-reconstruction"
    title = "MRI reconstruction"
    systems: tuple[str, ...] = (*PRIORS, "admm-tv", "sense-cg", "zero-filled")
    simulation = mri.MriSimulation
    loading = mri.MriLoading

    def degrade(self, volume: Volume, how: mri.MriSimulation | None = None, /) -> Volume:
        """Return the zero-filled magnitude of simulated k-space; see `mri_acquisition.simulate`."""
        return mri.simulate(volume, how or mri.MriSimulation())

    def load(self, path: Path, how: mri.MriLoading | None = None, /) -> Volume:
        """Return the zero-filled magnitude of k-space in a file; see `mri_acquisition.load`."""
        return mri.load(path, how or mri.MriLoading())

    def prepare(
        self,
        source: Volume,
        factor: Factor,
        multiple: int,
        inputs: Sequence[str] = (),
        conditions: Mapping[str, Volume] = NONE,
    ) -> Measurement:
        """Return k-space in model space (`mri_acquisition`), with the zero-filled image.

        Raises
        ------
        VolumeError
            If the source has no k-space beside it.
        """
        from napari_vol2vol.sampling.measurement import IntensityMap, Measurement

        scan = _mri_of(source)
        image = mri.raw_zero_filled(scan)
        top = mri.percentile_of(image)
        return Measurement(
            {}, image / top, IntensityMap.linear(0.0, top), _whole(source), mri.observed_of(scan, top)
        )

    def match(self, reference: Volume) -> Volume:
        """Return the reference as it is: k-space is in its units."""
        return reference

    def remarks(self, source: Volume) -> list[str]:
        """Return a sentence where the orientation or the noise is not known."""
        return _remarks(source)

    def pictures(self, source: Volume) -> dict[str, Volume]:
        """Return the mask, and the logarithm of the magnitude of k-space over all coils."""
        scan = _mri_of(source)
        mask = np.broadcast_to(scan.mask, scan.shape).astype(np.float32)
        power = np.square(np.abs(scan.kspace)).sum(0)
        power = np.log10(np.maximum(power, max(float(power.max()), 1e-30) * 1e-10)) / 2
        return {
            "mask": source.with_data(mask, name=f"{source.name} · mask", units="a.u."),
            "k-space": source.with_data(power, name=f"{source.name} · k-space (log10)", units="a.u."),
        }


def _ct_of(source: Volume) -> MeasuredCT:
    if not isinstance(source.measured, MeasuredCT):
        raise _missing(source, "sinogram")
    return source.measured


def _mri_of(source: Volume) -> MeasuredMRI:
    if not isinstance(source.measured, MeasuredMRI):
        raise _missing(source, "k-space")
    return source.measured


def _missing(source: Volume, what: str) -> VolumeError:
    found = (
        "a plain volume" if source.measured is None else f"a measurement of {source.measured.kind.upper()}"
    )
    return VolumeError(
        f"{source.name}: measurement: found {found}, accepted is a volume with its {what}: simulate one from "
        f"this volume, or load a file with {what}"
    )


def _whole(source: Volume) -> tuple[slice, slice, slice]:
    z, y, x = (slice(0, n) for n in source.shape)
    return z, y, x


def _remarks(source: Volume) -> list[str]:
    if source.measured is None or source.measured.origin.get("simulated"):
        return []
    return [f"{source.name} does not say how the patient lay: rows are shown as y, columns as x"]


__all__ = ["PRIORS", "MRIReconstruction", "SparseViewCT"]
