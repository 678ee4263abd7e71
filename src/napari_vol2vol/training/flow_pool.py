"""Pairs of CT, native and arterial, that a flow is trained on: procedural torsos on many grids."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from napari_vol2vol.phantoms.torso_ct import make_torso_pair
from napari_vol2vol.sampling.planes import PLANES, Plane, as_slices
from napari_vol2vol.tasks.contrast_change import RANGE_HU
from napari_vol2vol.training.pool import PoolSettings

#: Spacing in mm that training covers, between slices and in the slice.
SLICE_MM, PIXEL_MM = (1.2, 5.0), (0.9, 3.0)
#: A voxel counts as enhanced from this difference of the phases, averaged over its neighbours, in HU.
ENHANCED_HU = 60.0
#: So many enhanced voxels of a patient are remembered.
REMEMBERED = 4000


@dataclass(frozen=True)
class Pair:
    """One patient in model space, `native` and `contrast` (D, H, W), and some enhanced voxels (n, 3)."""

    native: Tensor
    contrast: Tensor
    enhanced: NDArray[np.int64]


def in_model_space(hu: NDArray[np.float32]) -> Tensor:
    """Return HU clipped to the networks' range and mapped to [-1, 1]."""
    low, high = RANGE_HU
    return torch.from_numpy((2 * (np.clip(hu, low, high) - low) / (high - low) - 1).astype(np.float32))


class TorsoPool:
    """Procedural patients, each on a grid of its own; the same seed gives the same sequence.

    ``settings.phantom_shape`` is their grid `(z, y, x)`; patients are told apart by seeds of the form
    ``1000 * seed + i``.
    """

    def __init__(self, settings: PoolSettings, seed: int) -> None:
        self.settings, self._seed, self._made = settings, seed, 0
        self.rng = np.random.default_rng([seed, 31])
        self.entries = [self._make() for _ in range(settings.entries)]

    def renew(self) -> None:
        """Replace a random patient."""
        self.entries[int(self.rng.integers(len(self.entries)))] = self._make()

    def _make(self) -> Pair:
        pixel = float(np.exp(self.rng.uniform(*np.log(PIXEL_MM))))
        spacing = (float(np.exp(self.rng.uniform(*np.log(SLICE_MM)))), pixel, pixel)
        height = float(np.random.default_rng([self._seed, 43, self._made]).uniform(*self.settings.middle_mm))
        made = make_torso_pair(
            1000 * self._seed + self._made, self.settings.phantom_shape, spacing, middle_mm=height
        )
        self._made += 1
        bright = ndimage.uniform_filter(made.contrast - made.native, 3) > ENHANCED_HU
        where = np.argwhere(bright)
        chosen = self.rng.permutation(len(where))[:REMEMBERED]
        return Pair(in_model_space(made.native), in_model_space(made.contrast), where[chosen])

    def slices(self, rng: np.random.Generator, plane: Plane, crop: int) -> tuple[Tensor, Tensor]:
        """Return a random slice of a random patient, native and contrast `(crop, crop)`.

        It is flipped and turned unless ``settings.turned`` says otherwise.
        ``settings.enhancing_share`` of them are centred on an enhanced voxel. Grids smaller than the crop are
        continued by their mirror image.
        """
        pair = self.entries[int(rng.integers(len(self.entries)))]
        axis = PLANES.index(plane)
        both = as_slices(torch.stack([pair.native, pair.contrast]), plane)
        centre = self._centre(rng, pair)
        image = both[int(centre[axis])].numpy()
        short = [max(0, crop - n) for n in image.shape[1:]]
        image = np.pad(image, [(0, 0), (0, short[0]), (0, short[1])], mode="symmetric")
        rest = np.delete(centre, axis) - crop // 2
        y, x = (int(np.clip(c, 0, n - crop)) for c, n in zip(rest, image.shape[1:], strict=True))
        image = image[:, y : y + crop, x : x + crop]
        if self.settings.turned:
            image = np.rot90(image, int(rng.integers(4)), (1, 2))[:, :, :: rng.choice([-1, 1])]
        native, contrast = torch.from_numpy(np.ascontiguousarray(image))
        return native, contrast

    def cube(self, rng: np.random.Generator, edge: int) -> tuple[Tensor, Tensor]:
        """Return a random cube of a random patient, native and contrast `(edge, edge, edge)`.

        Centres are chosen, and small grids continued, as those of `slices`.
        """
        pair = self.entries[int(rng.integers(len(self.entries)))]
        centre = self._centre(rng, pair)
        both = torch.stack([pair.native, pair.contrast]).numpy()
        short = [(0, max(0, edge - n)) for n in both.shape[1:]]
        both = np.pad(both, [(0, 0), *short], mode="symmetric")
        low = [int(np.clip(c - edge // 2, 0, n - edge)) for c, n in zip(centre, both.shape[1:], strict=True)]
        cut = both[(slice(None), *(slice(a, a + edge) for a in low))]
        native, contrast = torch.from_numpy(np.ascontiguousarray(cut))
        return native, contrast

    def _centre(self, rng: np.random.Generator, pair: Pair) -> NDArray[np.int64]:
        """Return a voxel of a patient: an enhanced one as often as the settings say, else any."""
        centre = np.array([rng.integers(n) for n in pair.native.shape])
        if len(pair.enhanced) and rng.random() < self.settings.enhancing_share:
            centre = pair.enhanced[int(rng.integers(len(pair.enhanced)))]
        return centre


__all__ = ["PIXEL_MM", "PLANES", "SLICE_MM", "Pair", "TorsoPool", "in_model_space"]
