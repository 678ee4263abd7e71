"""Measured data to NumPy files that `napari_vol2vol.io.raw_data` reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_vol2vol.errors import VolumeError
from napari_vol2vol.measured import Measured, MeasuredCT


def write_measured(scan: Measured, path: Path) -> None:
    """Write ``sinogram`` and ``angles_deg``, or ``kspace``, ``mask`` and ``coil_maps``, as ``.npz``.

    Raises
    ------
    VolumeError
        If the file cannot be written.
    """
    arrays: dict[str, NDArray[Any]]
    if isinstance(scan, MeasuredCT):
        arrays = {"sinogram": scan.sinogram, "angles_deg": np.asarray(scan.angles_deg)}
    else:
        arrays = {"kspace": scan.kspace, "mask": scan.mask}
        if scan.coil_maps is not None:
            arrays["coil_maps"] = scan.coil_maps
    try:
        with path.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
    except OSError as error:
        raise VolumeError(f"{path}: cannot be written ({error.strerror})") from error
