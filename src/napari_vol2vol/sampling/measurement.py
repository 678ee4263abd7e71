"""What was observed, in model space."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, TypeGuard

import torch
from torch import Tensor

from napari_vol2vol.errors import BundleError
from napari_vol2vol.physics.imaging_operator import ImagingOperator
from napari_vol2vol.physics.operator import Operator
from napari_vol2vol.sampling.gradients import SLICES, Scaled, take, whole

#: Slices whose data residual is found at once.
RESIDUAL_SLICES = 32
#: The condition that every task with an operator has: the smooth volume that satisfies ``A base = y``.
BASE = "base"


@dataclass(frozen=True)
class IntensityMap:
    """Between physical units and model space: ``physical = offset + scale * (model + 1) / 2``."""

    offset: float
    scale: float

    @classmethod
    def linear(cls, zero: float, one: float) -> IntensityMap:
        """Return the map under which ``zero`` and ``one`` become 0 and 1 in model space."""
        return cls(2 * zero - one, 2 * (one - zero))

    def to_model(self, physical: Tensor) -> Tensor:
        """Map physical units so that [offset, offset + scale] becomes [-1, 1]."""
        return (physical - self.offset).mul_(2 / self.scale).sub_(1)

    def to_physical(self, model: Tensor) -> Tensor:
        """Invert `to_model`."""
        return (model + 1).mul_(self.scale / 2).add_(self.offset)


@dataclass(frozen=True)
class Observed:
    """A linear measurement ``y = A x + n`` in model space.

    ``stored`` is y, or what it is made of anew each time it is asked for, which saves memory. ``sigma`` is
    the standard deviation of n (None: unknown); ``nothing`` the value in model space of a voxel that adds
    nothing to a measurement in physical units.
    """

    stored: Tensor | Scaled
    operator: Operator
    sigma: float | None = None
    nothing: float = 0.0

    @property
    def y(self) -> Tensor:
        """What was measured."""
        return whole(self.stored)

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
    stored : Tensor, shape (D, H, W) or (2, D, H, W)
        The field's plain baseline: trilinear upsampling, the classical reconstruction, or the source itself.
        Complex images have two channels. With ``stored_as`` "physical" it may share memory with the source,
        which saves a volume.
    intensity : IntensityMap
        Of the result.
    crop : tuple of slice
        Cuts the padding off a volume `(D, H, W)` exactly.
    observed : Observed, optional
        The linear measurement of the result, for tasks that have one.
    """

    conditions: Mapping[str, Tensor]
    stored: Tensor
    intensity: IntensityMap
    crop: tuple[slice, slice, slice]
    observed: Observed | None = None
    stored_as: Literal["model", "physical"] = "model"

    @property
    def plain(self) -> Tensor:
        """The field's plain baseline, in model space: made anew where it is stored in physical units."""
        return self.stored if self.stored_as == "model" else self.intensity.to_model(self.stored)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of the padded grid (D, H, W)."""
        d, h, w = self.stored.shape[-3:]
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
        """Return a volume in model space in physical units, `(D, H, W)` without the padding.

        Of a complex image `(2, D, H, W)` the magnitude is returned.
        """
        return self.intensity.to_physical(self.shown(x))

    def shown(self, x: Tensor) -> Tensor:
        """Return a volume `(D, H, W)` without the padding, of two channels their magnitude."""
        x = x.float()
        return (x if x.ndim == 3 else x.square().sum(0).sqrt())[self.crop]

    def to(self, device: torch.device | str) -> Measurement:
        """Return the same measurement with its tensors on a device."""
        observed = self.observed and replace(self.observed, stored=self.observed.stored.to(device))
        return replace(
            self,
            conditions={name: value.to(device) for name, value in self.conditions.items()},
            stored=self.stored.to(device),
            observed=observed,
        )

    def relative_residual(self, x: Tensor) -> float | None:
        """Return ``|A x - y| / |y|`` of a volume in model space, y being what physical units measure.

        None where nothing was measured of the result.
        """
        if self.observed is None:
            return None
        return self._misfit(x) / max(self._measured_norm, 1e-30)

    def residual_image(self, x: Tensor) -> Tensor | None:
        """Return ``A^T (A x - y)``, shaped like x: where a volume in model space disobeys the measurement.

        None where nothing was measured of the result.
        """
        if self.observed is None:
            return None
        operator = self.observed.operator
        return operator.adjoint(operator(x) - self.observed.y)

    def _misfit(self, x: Tensor) -> float:
        """Return ``|A x - y|``, a few slices at a time where the operator lets them be apart."""
        assert self.observed is not None
        y, operator = self.observed.stored, self.observed.operator
        if not _by_slice(operator):
            return float(torch.linalg.vector_norm(operator(x) - whole(y)))
        return _norm(operator.at_slices(p)(take(x, p)) - take(y, p) for p in _parts(x))

    @cached_property
    def _measured_norm(self) -> float:
        """``|y|``, y counting from what a volume of nothing adds."""
        assert self.observed is not None
        if not self.observed.nothing:
            return float(torch.linalg.vector_norm(self.observed.y))
        return self._misfit(torch.full_like(self.stored, self.observed.nothing))


def _by_slice(operator: Operator) -> TypeGuard[ImagingOperator]:
    return isinstance(operator, ImagingOperator) and SLICES not in operator.system_axes


def _parts(x: Tensor) -> list[slice]:
    depth = x.shape[SLICES]
    return [slice(i, min(i + RESIDUAL_SLICES, depth)) for i in range(0, depth, RESIDUAL_SLICES)]


def _norm(parts: Iterable[Tensor]) -> float:
    return float(torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(p) for p in parts])))
