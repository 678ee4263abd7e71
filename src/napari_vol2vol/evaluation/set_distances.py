"""Distances between the set of a system's volumes and the set of references, over all volumes of a suite."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_vol2vol.evaluation.cases import Case
from napari_vol2vol.evaluation.compare import folder_of
from napari_vol2vol.evaluation.rows import Row
from napari_vol2vol.io import read_volume
from napari_vol2vol.metrics import Discrepancy, frechet_distance, kernel_distance, volume_mmd

#: From a volume (z, y, x) in shares of the data range to its features (n, d), one row an item.
Features = Callable[[NDArray[np.float32]], ArrayLike]
Volumes = Callable[[], Iterator[NDArray[np.float32]]]


@dataclass(frozen=True)
class Distances:
    """Of one set of volumes to the references: MMD² of the voxels, Fréchet and kernel distance of features.

    MMD² is the squared distance of the two mean volumes (Kwon et al. 2019). The estimate that is unbiased for
    independent sets is not so here: each volume is made from its own reference, and it would be far below 0.
    None where there are too few volumes, they differ in shape, or no features are given.
    """

    volume_mmd: Discrepancy | None
    frechet: Discrepancy | None = None
    kernel: Discrepancy | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the distances with the sizes of the sets they were computed from."""
        parts = {"volume_mmd": self.volume_mmd, "frechet": self.frechet, "kernel": self.kernel}
        return {name: part and part.as_dict() for name, part in parts.items()}


def set_distances(
    cases: Sequence[Case], rows: Sequence[Row], output: Path, features: Features | None = None
) -> dict[str, Distances]:
    """Return the distances of each system that has a row for every case, by its label.

    The *first sample* of each volume stands for the system: the mean of samples is no sample. Of several
    seeds the first counts.
    """
    found: dict[str, Distances] = {}
    for system in dict.fromkeys(row.system for row in rows):
        first = {row.volume: row for row in reversed(rows) if row.system == system}
        if set(first) >= {case.name for case in cases}:
            volumes = _samples_of(cases, [first[case.name] for case in cases], output)
            found[system] = _distances(volumes, _references_of(cases), _one_shape(cases), features)
    return found


def real_versus_real(cases: Sequence[Case], features: Features | None = None) -> Distances:
    """Return the distances between two halves of the references: what the others are to be read against.

    The halves are of whole volumes (every second one), as slices of one volume are alike; an odd one is left
    out. They have half the volumes, which raises distances that are biased upwards.
    """
    half = len(cases) // 2
    one, other = cases[: 2 * half : 2], cases[1 : 2 * half : 2]
    return _distances(_references_of(one), _references_of(other), half > 1 and _one_shape(cases), features)


def _one_shape(cases: Sequence[Case]) -> bool:
    return len(cases) > 1 and len({case.reference.shape for case in cases}) == 1


def _references_of(cases: Sequence[Case]) -> Volumes:
    return lambda: (case.reference.data for case in cases)


def _samples_of(cases: Sequence[Case], rows: Sequence[Row], output: Path) -> Volumes:
    return lambda: (
        case.scaled(read_volume(folder_of(output, row) / "sample-01.nii.gz")).data
        for case, row in zip(cases, rows, strict=True)
    )


def _distances(made: Volumes, real: Volumes, comparable: bool, features: Features | None) -> Distances:
    mmd = volume_mmd(made(), real(), unbiased=False) if comparable else None
    if features is None:
        return Distances(mmd)
    a, b = ([row for v in volumes() for row in _rows(features(v))] for volumes in (made, real))
    if min(len(a), len(b)) < 2:
        return Distances(mmd)
    return Distances(mmd, frechet_distance(a, b), kernel_distance(a, b))


def _rows(values: ArrayLike) -> NDArray[np.float64]:
    return np.atleast_2d(np.asarray(values, np.float64))
