"""Two phases of CT to compare systems on: procedural patients, their regions, and errors in HU."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from napari_vol2vol.evaluation.suite_entries import TorsoPhantom
from napari_vol2vol.metrics.fidelity import mean_absolute_error
from napari_vol2vol.phantoms.torso_ct import make_torso_pair
from napari_vol2vol.tasks.contrast_change import CT, REMOVAL
from napari_vol2vol.volume import Volume

Mask = NDArray[np.bool_]
#: What a volume of regions is called beside the phases of a patient.
REGIONS = "regions"
#: The regions by the value of their voxels, and the labels of a torso that they hold.
LABELS: dict[str, tuple[int, tuple[str, ...]]] = {
    "vessels": (1, ("aorta", "artery", "heart chamber")),
    "organs": (2, ("liver", "spleen", "pancreas", "kidney cortex", "kidney medulla")),
}


def scanned(torso: TorsoPhantom, target: str) -> dict[str, Volume]:
    """Return a procedural patient in HU: the result ``target``, the source ``CT``, and the regions.

    No breath lies between the phases, so what differs is contrast medium and noise alone.
    """
    pair = make_torso_pair(torso.seed, torso.shape, torso.spacing_mm, breathing_mm=0.0, noise=torso.noise)
    regions = np.zeros(torso.shape, np.float32)
    for value, names in LABELS.values():
        regions[pair.torso.mask(*names)] = value
    native, arterial = pair.native, pair.contrast
    result, source = (native, arterial) if target == REMOVAL.target else (arterial, native)
    arrays = {target: result, CT: source, REGIONS: regions}
    return {
        name: Volume.from_array(
            array, torso.spacing_mm, modality=name, units="" if name == REGIONS else "HU", name=name
        )
        for name, array in arrays.items()
    }


def regions_of(regions: Volume | None) -> dict[str, Mask]:
    """Return the masks `(z, y, x)` of a volume of regions by name, those that have voxels."""
    if regions is None:
        return {}
    masks = {name: np.asarray(regions.data.round() == value) for name, (value, _) in LABELS.items()}
    return {name: mask for name, mask in masks.items() if mask.any()}


def errors_in_hounsfield(
    result: Volume, reference: Volume, unit: float, regions: Mapping[str, Mask]
) -> dict[str, float | None]:
    """Return the mean absolute error in HU as ``mae_hu``, and in each region as ``mae_hu_REGION``.

    Parameters
    ----------
    result, reference : Volume, shape (z, y, x)
        In shares of the data range, which is ``unit`` HU.
    """

    def over(where: Mask | slice) -> float:
        return unit * mean_absolute_error(result.data[where], reference.data[where])

    inside = {name: over(regions[name]) if name in regions else None for name in LABELS}
    return {"mae_hu": over(slice(None)), **{f"mae_hu_{name}": value for name, value in inside.items()}}


def regions_in_words() -> str:
    """Return what each region holds, for the notes of a table."""
    return "; ".join(f"{name}: {', '.join(labels)}" for name, (_, labels) in LABELS.items())
