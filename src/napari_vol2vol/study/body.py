"""Where the patient is in a volume: what lies outside tells the scanner or the network, not the patient."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_vol2vol.volume import Volume

BODY_HU = -400.0
_AIR_OF_CT = -500.0


def is_ct(volume: Volume, units: str = "auto") -> bool:
    """Whether the values are Hounsfield units: as ``units`` says, or else the volume, or else its minimum."""
    if units != "auto":
        return units == "HU"
    return volume.units == "HU" or volume.modality == "CT" or float(volume.data.min()) <= _AIR_OF_CT


def body_mask(volume: Volume, units: str = "auto") -> NDArray[np.bool_]:
    """Return the largest connected part above air `(z, y, x)`, opened against the table, its holes filled.

    Above air is above -400 HU in CT, else above Otsu's threshold of the logarithm, which keeps dark tissue.
    """
    from scipy import ndimage

    ct = is_ct(volume, units)
    above = _filled(volume.data > (BODY_HU if ct else _log_otsu(volume.data)))
    labels, count = ndimage.label(ndimage.binary_opening(above, iterations=2) if ct else above)
    if count == 0:
        return np.ones(volume.shape, bool)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    body = labels == int(sizes.argmax())
    if ct:  # what the opening took from edges and from the first and last slices
        body = ndimage.binary_dilation(body, iterations=4, mask=above)
    return _filled(body)


def _filled(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return a mask with its holes filled, axial slice by slice: lungs open into the first or last slice."""
    from scipy.ndimage import binary_fill_holes

    return np.asarray([binary_fill_holes(part) for part in mask], bool)


def _log_otsu(data: NDArray[np.float32]) -> float:
    from skimage.filters import threshold_otsu

    low, high = (float(v) for v in np.percentile(data, (0.0, 99.5)))
    if high <= low:
        return low
    share = np.clip((data - low) / (high - low), 0.0, 1.0)
    cut = float(threshold_otsu(np.log(share[::2, ::2, ::2] + 0.01)))
    return low + (float(np.exp(cut)) - 0.01) * (high - low)
