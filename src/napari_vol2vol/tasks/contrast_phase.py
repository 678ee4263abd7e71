"""Is there contrast medium in a CT? Read from the scanner's tags, or from its bright, even vessels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_vol2vol.volume import Volume

#: Blood in HU: unenhanced it stays below, iodine lifts it above; bone is brighter or uneven.
ENHANCED = (130.0, 600.0)
#: Enhanced vessels and chambers are even: the standard deviation within a few mm, after smoothing, in HU.
EVEN = 28.0
#: Less than this, in ml, may be calcium, a piece of bone or an artefact.
ENOUGH_ML = 15.0
WORKING_MM = 2.5


@dataclass(frozen=True)
class Phase:
    """What was found: ``enhanced``, the median HU of the bright even regions and their volume in ml."""

    enhanced: bool
    blood_hu: float | None
    volume_ml: float

    @property
    def words(self) -> str:
        """One plain sentence."""
        if not self.enhanced:
            return f"native ({self.volume_ml:.0f} ml of bright, even blood)"
        return f"contrast-enhanced ({self.volume_ml:.0f} ml of blood at {self.blood_hu:.0f} HU)"


def guess_phase(volume: Volume) -> Phase:
    """Return whether a CT shows contrast medium in its large vessels.

    Looks for connected regions that are brighter than blood can be without iodine and more even than bone.
    Volumes are read at about 2.5 mm.
    """
    steps = [max(1, round(WORKING_MM / s)) for s in volume.spacing_mm]
    spacing = [s * k for s, k in zip(volume.spacing_mm, steps, strict=True)]
    hu = _smoothed(volume.data[:: steps[0], :: steps[1], :: steps[2]], spacing)
    blood = _large_bright_even(hu, spacing)
    total = float(blood.sum() * np.prod(spacing) / 1000)
    if total < ENOUGH_ML:
        return Phase(False, None, total)
    return Phase(True, float(np.median(hu[blood])), total)


def enhanced_blood(volume: Volume) -> NDArray[np.bool_]:
    """Return where `guess_phase` sees enhanced blood, on the volume's own grid `(z, y, x)`."""
    spacing = list(volume.spacing_mm)
    return _large_bright_even(_smoothed(volume.data, spacing), spacing)


def _smoothed(hu: NDArray[np.float32], spacing: list[float]) -> NDArray[np.float32]:
    return np.asarray(ndimage.gaussian_filter(np.clip(hu, -1000, 1500), [1.5 / s for s in spacing]))


def _large_bright_even(hu: NDArray[np.float32], spacing: list[float]) -> NDArray[np.bool_]:
    """Return the connected regions of blood that are no specks."""
    marked, count = ndimage.label(_even(hu, spacing) & (hu > ENHANCED[0]) & (hu < ENHANCED[1]))
    sizes = np.bincount(marked.ravel(), minlength=count + 1) * float(np.prod(spacing)) / 1000
    large = sizes >= ENOUGH_ML / 3
    large[0] = False
    return np.asarray(large[marked])


def _even(hu: NDArray[np.float32], spacing: list[float]) -> NDArray[np.bool_]:
    size = [max(3, 2 * round(3.5 / s) + 1) for s in spacing]
    mean = ndimage.uniform_filter(hu, size)
    variance = ndimage.uniform_filter(hu * hu, size) - mean * mean
    return np.asarray(variance < EVEN**2)
