"""From volumes to conditions in model space: which input is which, on one grid, in one intensity range."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_vol2vol.errors import SettingsError, VolumeError
from napari_vol2vol.metrics.fidelity import PERCENTILE
from napari_vol2vol.volume import Volume, check_reference

if TYPE_CHECKING:
    from torch import Tensor

    from napari_vol2vol.sampling.measurement import IntensityMap


def intensity_of(volume: Volume) -> IntensityMap:
    """Return the map under which 0 and the 99.5th percentile of a volume become -1 and 1.

    Raises
    ------
    VolumeError
        If the volume holds one value only, or mostly negative ones.
    """
    from napari_vol2vol.sampling.measurement import IntensityMap

    top = float(np.percentile(volume.data, PERCENTILE))
    low, high = float(volume.data.min()), float(volume.data.max())
    if top <= 0 or low == high:
        raise VolumeError(
            f"{volume.name}: values from {low:g} to {high:g}, "
            "accepted is an image with varying, mostly positive intensities"
        )
    return IntensityMap(0.0, top)


def in_model_space(volume: Volume, padding: Sequence[tuple[int, int]]) -> Tensor:
    """Return a volume normalised by `intensity_of` and edge-padded, `(D, H, W)`."""
    import torch

    data = np.pad(volume.data, padding, mode="edge")
    return intensity_of(volume).to_model(torch.from_numpy(data))


def pick(
    names: Sequence[str], given: Mapping[str, Volume], on: Volume, *, takes_any: bool = False
) -> dict[str, Volume]:
    """Return the volume for each wanted modality, all on the grid of ``on``.

    Parameters
    ----------
    given : mapping of modality to Volume
    takes_any : bool
        One wanted modality and one volume given: take it, whatever it says it is (the bundle's card warns).

    Raises
    ------
    VolumeError
        If one is missing or lies on another grid.
    """
    if takes_any and len(names) == len(given) == 1:
        given = {names[0]: next(iter(given.values()))}
    if missing := [name for name in names if name not in given]:
        raise VolumeError(
            f"condition: found {', '.join(given) or 'none'}, the bundle also needs {', '.join(missing)}"
        )
    for name in names:
        check_reference(on, given[name], f"condition {name}")
    return {name: given[name] for name in names}


def refuse_raw(task: str, path: Path | str) -> SettingsError:
    """Return the error of tasks that start from volumes and were given a file of raw data."""
    return SettingsError(f"{Path(path).name}: found raw data, task {task} accepts volumes (NIfTI, DICOM)")
