"""A measurement made from a complete volume, so that the result can be compared with the truth."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_vol2vol.options import from_options

if TYPE_CHECKING:
    from napari_vol2vol.volume import Volume

DEFAULT_FACTOR = (4, 4, 4)
NO_SETTINGS: Mapping[str, Any] = MappingProxyType({})


def factor_of(card: Any | None, task: Any = None) -> tuple[int, int, int]:
    """Return the factor (z, y, x) between input and result that a bundle is for, else the task's own."""
    return tuple(card.factor) if card is not None else getattr(task, "default_factor", DEFAULT_FACTOR)


def simulated(
    volume: Volume, task: Any, card: Any | None, settings: Mapping[str, Any] = NO_SETTINGS
) -> tuple[Volume, Volume]:
    """Return (degraded or measured volume, the part of ``volume`` that it was made from).

    ``settings`` are the options of the task's simulation by name; tasks without one are told the factor.
    """
    factor = factor_of(card, task)
    kind = getattr(task, "simulation", None)
    source = task.degrade(volume, factor if kind is None else from_options(kind, settings))
    z, y, x = task.grid(source, factor).shape
    if (z, y, x) == volume.shape:
        return source, volume
    return source, volume.with_data(volume.data[:z, :y, :x], affine=volume.affine)


def stand_in(volume: Volume, task: Any, card: Any | None) -> Volume:
    """Return a volume on the degraded grid that is cheap to make: for estimates, not for runs."""
    factor = factor_of(card, task)
    cells = [max(n // k, 1) for n, k in zip(volume.shape, factor, strict=True)]
    few = volume.data[tuple(slice(0, n * k, k) for n, k in zip(cells, factor, strict=True))]
    scale = np.diag([*(float(k) for k in factor[::-1]), 1.0])
    return volume.with_data(few, affine=volume.affine @ scale)


def on_result_grid(
    request: Any, source: Volume, reference: Volume | None, conditions: Mapping[str, Volume]
) -> tuple[Volume, Volume | None, dict[str, Volume]]:
    """Return the inputs of a run with reference and conditions resampled where they lie elsewhere."""
    from napari_vol2vol.engine import output_of

    grid = output_of(request, source, conditions)
    moved = {name: v if v.same_grid(grid) else v.resampled_to(grid) for name, v in conditions.items()}
    if reference is not None and not reference.same_grid(grid):
        reference = reference.resampled_to(grid)
    return source, reference, moved
