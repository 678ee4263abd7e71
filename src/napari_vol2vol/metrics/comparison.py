"""All figures of one volume against its reference, as `vol2vol evaluate` prints them."""

from __future__ import annotations

from dataclasses import dataclass

from napari_vol2vol.metrics.fidelity import Fidelity, fidelity, mask_voxels
from napari_vol2vol.metrics.information import BINS, mutual_information
from napari_vol2vol.metrics.multi_scale import MS_SSIM_WEIGHTS, ms_ssim, smallest_axis
from napari_vol2vol.volume import Volume


@dataclass(frozen=True)
class Comparison:
    """Fidelity, MS-SSIM for the same data range, and mutual information in nats of ``bins`` x ``bins`` cells.

    ``ms_ssim`` is None where it cannot be computed; ``ms_ssim_missing`` then says why.
    """

    fidelity: Fidelity
    ms_ssim: float | None
    ms_ssim_missing: str | None
    mutual_information: float
    bins: int

    def as_dict(self) -> dict[str, float | str | None]:
        """Return all figures in one flat dictionary."""
        return {
            **self.fidelity.as_dict(),
            "ms_ssim": self.ms_ssim,
            "ms_ssim_missing": self.ms_ssim_missing,
            "mutual_information": self.mutual_information,
            "mutual_information_bins": self.bins,
        }


def compare(
    volume: Volume, reference: Volume, *, mask: Volume | None = None, data_range: float | None = None
) -> Comparison:
    """Compare a volume with its reference in every figure that is defined for it.

    Parameters and errors as in `fidelity`. MS-SSIM needs the whole volume, so a mask leaves it out, and 176
    voxels along each axis.
    """
    result = fidelity(volume, reference, mask=mask, data_range=data_range)
    inside = mask_voxels(volume, mask)
    missing = _why_no_ms_ssim(volume, mask)
    return Comparison(
        fidelity=result,
        ms_ssim=None if missing else ms_ssim(volume.data, reference.data, result.data_range),
        ms_ssim_missing=missing,
        mutual_information=mutual_information(volume.data[inside], reference.data[inside], BINS),
        bins=BINS,
    )


def _why_no_ms_ssim(volume: Volume, mask: Volume | None) -> str | None:
    scales = len(MS_SSIM_WEIGHTS)
    if mask is not None:
        return "a mask is given, and MS-SSIM is defined on the whole volume"
    if min(volume.shape) < smallest_axis(scales):
        return (
            f"shape {volume.shape} is too small for {scales} scales, which need {smallest_axis(scales)} "
            "voxels along each axis"
        )
    return None
