"""What is diffused: the image itself, or its residual over the smooth inverse scaled to unit variance."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.sampling.measurement import Measurement

DIFFUSED = ("residual", "image")


@dataclass(frozen=True)
class Latent:
    """The affine map ``x = base + scale * z`` between image x (model space) and diffused variable z."""

    base: Tensor | float
    scale: float

    def encode(self, x: Tensor) -> Tensor:
        """Return z."""
        return (x - self.base) / self.scale

    def decode(self, z: Tensor) -> Tensor:
        """Return x."""
        return self.base + self.scale * z

    def encode_measurement(self, measurement: Measurement) -> Tensor:
        """Return the measurement of z: ``A z = (y - A base) / scale``."""
        if isinstance(self.base, float):
            return measurement.y / self.scale  # only used with base 0
        return (measurement.y - measurement.operator(self.base)) / self.scale


def make_latent(what: str, scale: float, measurement: Measurement) -> Latent:
    """Return the latent map that a bundle's card names (``residual`` or ``image``)."""
    if what == "residual":
        return Latent(measurement.base, scale)
    if what == "image":
        return Latent(0.0, scale)
    raise SettingsError(f"diffused variable: found {what!r}, accepted are {', '.join(DIFFUSED)}")
