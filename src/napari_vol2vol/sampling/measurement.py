"""What was observed, in model space."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from napari_vol2vol.physics.operator import Operator


@dataclass(frozen=True)
class IntensityMap:
    """Between physical units and model space: ``physical = offset + scale * (model + 1) / 2``."""

    offset: float
    scale: float

    def to_model(self, physical: Tensor) -> Tensor:
        """Map physical units so that [offset, offset + scale] becomes [-1, 1]."""
        return (physical - self.offset) * (2 / self.scale) - 1

    def to_physical(self, model: Tensor) -> Tensor:
        """Invert `to_model`."""
        return (model + 1) * (self.scale / 2) + self.offset


@dataclass(frozen=True)
class Measurement:
    """A measurement on a padded grid, ready for the networks.

    Parameters
    ----------
    y : Tensor
        Output of ``operator``, in model space.
    operator : Operator
    base : Tensor, shape (D, H, W)
        The plain estimate that residual models start from, in model space; it satisfies ``A base = y``.
    plain : Tensor, shape (D, H, W)
        The field's plain baseline (trilinear upsampling), in model space.
    intensity : IntensityMap
    crop : tuple of slice
        Cuts the padding off a volume `(D, H, W)` exactly.
    """

    y: Tensor
    operator: Operator
    base: Tensor
    plain: Tensor
    intensity: IntensityMap
    crop: tuple[slice, slice, slice]

    def to(self, device: torch.device | str) -> Measurement:
        """Return the same measurement with its tensors on a device."""
        return Measurement(
            self.y.to(device),
            self.operator,
            self.base.to(device),
            self.plain.to(device),
            self.intensity,
            self.crop,
        )

    def relative_residual(self, x: Tensor) -> float:
        """Return ``|A x - y| / |y|`` of a volume in model space, computed in physical units."""
        physical_y = self.intensity.to_physical(self.y / self._gain)
        physical = self.intensity.to_physical(self.operator(x) / self._gain)
        return float((physical - physical_y).norm() / physical_y.norm().clamp(min=1e-30))

    @property
    def _gain(self) -> float:
        return float(getattr(self.operator, "gain", 1.0))
