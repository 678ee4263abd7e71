"""Cubes of procedural heads with their regions: what the segmentation stage learns from."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_vol2vol.metrics.fidelity import PERCENTILE
from napari_vol2vol.phantoms.brain import Anatomy, Contrast, label_map, make_anatomy, paint
from napari_vol2vol.training.pool import PoolSettings

CONTRASTS: tuple[Contrast, ...] = get_args(Contrast)
#: Share of the cubes that are cut around the lesion: it fills too little of a head to be met by chance.
AROUND_LESION = 0.7


@dataclass(frozen=True)
class RegionEntry:
    """One cube: ``images`` by contrast and ``labels``, all `(D, H, W)`.

    Intensities are shares of the cube's own 99.5th percentile, clipped to [0, 1]; labels are indices of
    `phantoms.brain.REGIONS`.
    """

    images: dict[str, Tensor]
    labels: Tensor


class RegionPool:
    """Cubes of procedural heads with a lesion, in every contrast; the same seed gives the same sequence.

    ``settings.phantom_anatomies`` heads of ``phantom_shape`` are deformed once; ``settings.entries`` cubes of
    edge ``crop`` are cut from them and painted anew each time.
    """

    def __init__(self, settings: PoolSettings, seed: int) -> None:
        self.settings = settings
        self.rng = np.random.default_rng([seed, 11])
        self._anatomies = [
            make_anatomy(1000 * seed + i, settings.phantom_shape, lesion=True)
            for i in range(settings.phantom_anatomies)
        ]
        self.entries = [self._make() for _ in range(settings.entries)]

    def renew(self) -> None:
        """Replace a random entry."""
        self.entries[int(self.rng.integers(len(self.entries)))] = self._make()

    def _make(self) -> RegionEntry:
        anatomy = self._anatomies[int(self.rng.integers(len(self._anatomies)))]
        cube = _cut(anatomy, self._start(anatomy), self.settings.crop)
        seed = int(self.rng.integers(2**31))
        images: dict[str, Tensor] = {c: _in_shares(paint(cube, c, seed)) for c in CONTRASTS}
        labels = torch.from_numpy(label_map(cube))
        if self.rng.random() < 0.5:  # left and right
            images = {name: image.flip(2) for name, image in images.items()}
            labels = labels.flip(2)
        return RegionEntry(images, labels)

    def _start(self, anatomy: Anatomy) -> list[int]:
        """Return the first voxel of a cube, often one that holds the middle of the lesion."""
        shape, size = np.array(anatomy.core.shape), self.settings.crop
        room = np.maximum(shape - size, 0)
        start = self.rng.integers(room + 1)
        lesion = np.argwhere(anatomy.core > 0.5)
        if len(lesion) and self.rng.random() < AROUND_LESION:
            inside = self.rng.integers(size // 4, size - size // 4, 3)
            start = np.clip(lesion.mean(0).astype(int) - inside, 0, room)
        return [int(s) for s in start]


def _cut(anatomy: Anatomy, start: list[int], size: int) -> Anatomy:
    where = (..., *(slice(s, s + size) for s in start))
    return Anatomy(**{f.name: np.ascontiguousarray(getattr(anatomy, f.name)[where]) for f in fields(Anatomy)})


def _in_shares(image: NDArray[np.float32]) -> Tensor:
    top = np.float32(np.percentile(image, PERCENTILE))
    return torch.from_numpy(np.clip(image / top, 0, 1))
