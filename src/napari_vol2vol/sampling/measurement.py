"""What was observed, in model space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from napari_vol2vol.errors import BundleError
from napari_vol2vol.physics.operator import Operator

#: The condition that every task with an operator has: the smooth volume that satisfies ``A base = y``.
BASE = "base"


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
class Observed:
    """A linear measurement ``y = A x`` in model space."""

    y: Tensor
    operator: Operator

    def projected(self, x: Tensor) -> Tensor:
        """Return the volume nearest to ``x`` `(D, H, W)` that satisfies ``A x = y``."""
        return x - self.operator.pseudo_inverse(self.operator(x) - self.y)


@dataclass(frozen=True)
class Measurement:
    """What a task hands to the networks, on a padded grid in model space.

    Parameters
    ----------
    conditions : mapping of str to Tensor, shape (D, H, W)
        What the networks may be conditioned on: modalities by name, and ``"base"`` where there is an
        operator.
    plain : Tensor, shape (D, H, W)
        The field's plain baseline: trilinear upsampling, or the source itself where nothing is upsampled.
    intensity : IntensityMap
        Of the result.
    crop : tuple of slice
        Cuts the padding off a volume `(D, H, W)` exactly.
    observed : Observed, optional
        The linear measurement of the result, for tasks that have one.
    """

    conditions: Mapping[str, Tensor]
    plain: Tensor
    intensity: IntensityMap
    crop: tuple[slice, slice, slice]
    observed: Observed | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of the padded grid (D, H, W)."""
        d, h, w = self.plain.shape
        return d, h, w

    @property
    def base(self) -> Tensor:
        """The plain estimate that residual models start from; it satisfies ``A base = y``."""
        return self.condition([BASE])[0]

    def condition(self, names: Sequence[str]) -> Tensor:
        """Stack named conditions as `(C, D, H, W)`.

        Raises
        ------
        BundleError
            If the task provides no condition of that name.
        """
        if missing := [name for name in names if name not in self.conditions]:
            raise BundleError(
                f"condition: {', '.join(missing)} is needed by the bundle; the task provides "
                f"{', '.join(self.conditions) or 'none'}"
            )
        return torch.stack([self.conditions[name] for name in names])

    def physical(self, x: Tensor) -> Tensor:
        """Return a volume in model space `(D, H, W)` in physical units, without the padding."""
        return self.intensity.to_physical(x[self.crop].float())

    def to(self, device: torch.device | str) -> Measurement:
        """Return the same measurement with its tensors on a device."""
        observed = self.observed and replace(self.observed, y=self.observed.y.to(device))
        return replace(
            self,
            conditions={name: value.to(device) for name, value in self.conditions.items()},
            plain=self.plain.to(device),
            observed=observed,
        )

    def relative_residual(self, x: Tensor) -> float | None:
        """Return ``|A x - y| / |y|`` of a volume in model space, computed in physical units.

        None where nothing was measured of the result.
        """
        if self.observed is None:
            return None
        gain = float(getattr(self.observed.operator, "gain", 1.0))
        physical_y = self.intensity.to_physical(self.observed.y / gain)
        physical = self.intensity.to_physical(self.observed.operator(x) / gain)
        return float((physical - physical_y).norm() / physical_y.norm().clamp(min=1e-30))
