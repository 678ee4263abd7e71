"""What is diffused: the image itself, or its residual over the smooth inverse scaled to unit variance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.sampling.measurement import BASE, Observed

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

    def encode_observed(self, observed: Observed) -> Tensor:
        """Return the measurement of z: ``A z = (y - A base) / scale``."""
        if isinstance(self.base, float):
            return observed.y / self.scale  # only used with base 0
        return (observed.y - observed.operator(self.base)) / self.scale


def make_latent(what: str, scale: float, conditions: Mapping[str, Tensor]) -> Latent:
    """Return the latent map that a bundle's card names: ``residual`` over the base, or ``image``."""
    if what == "residual":
        if BASE not in conditions:
            raise SettingsError("diffused variable: residual needs a task with a base, this one has none")
        return Latent(conditions[BASE], scale)
    if what == "image":
        return Latent(0.0, scale)
    raise SettingsError(f"diffused variable: found {what!r}, accepted are {', '.join(DIFFUSED)}")
