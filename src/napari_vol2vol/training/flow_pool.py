"""Pairs of CT, native and arterial, that a flow is trained on, on many grids.

Procedural torsos; torsos whose organs have the shapes of a map of organs; and native scans, from which
there is nothing to remove.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import block_reduce
from torch import Tensor

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.io import read_volume
from napari_vol2vol.phantoms.labelled_torso import OrganMap, torso_of
from napari_vol2vol.phantoms.torso_ct import Enhancement, TorsoPair, make_torso_pair, scanned_twice
from napari_vol2vol.sampling.planes import PLANES, Plane, as_slices, with_neighbours
from napari_vol2vol.tasks.contrast_change import RANGE_HU
from napari_vol2vol.tasks.contrast_phase import guess_phase
from napari_vol2vol.training.pool import PoolSettings
from napari_vol2vol.volume import Volume

#: Spacing in mm that training covers between slices.
SLICE_MM = (1.2, 5.0)
#: A voxel counts as enhanced from this difference of the phases, averaged over its neighbours, in HU.
ENHANCED_HU = 60.0
#: What is added to the organs of a map, in HU: anything from an early to a portal venous phase.
WIDE = Enhancement(
    (150.0, 480.0),
    {
        "kidney cortex": (70, 250), "kidney medulla": (10, 120), "spleen": (40, 130), "liver": (0, 40),
        "portal vein": (0, 150), "renal vein": (20, 200), "vein": (0, 70), "heart muscle": (20, 110),
        "pancreas": (20, 100), "muscle": (0, 14),
    },
    mixing=0.4,
)  # fmt: skip
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

    Parameters
    ----------
    others : sequence of OrganMap or Volume
        Where a patient may come from instead, but for ``settings.phantom_share`` of them: a map of organs, or
        a native CT, whose two phases are the same scan.
    """

    def __init__(self, settings: PoolSettings, seed: int, others: Sequence[OrganMap | Volume] = ()) -> None:
        self.settings, self._seed, self._made, self._others = settings, seed, 0, tuple(others)
        self.rng = np.random.default_rng([seed, 31])
        self.entries = [self._make() for _ in range(settings.entries)]

    def renew(self) -> None:
        """Replace a random patient."""
        self.entries[int(self.rng.integers(len(self.entries)))] = self._make()

    def _make(self) -> Pair:
        pixel = float(np.exp(self.rng.uniform(*np.log(self.settings.pixel_mm))))
        spacing = (float(np.exp(self.rng.uniform(*np.log(SLICE_MM)))), pixel, pixel)
        number, self._made = self._made, self._made + 1
        rng = np.random.default_rng([self._seed, 47, number])
        if self._others and rng.random() >= self.settings.phantom_share:
            other = self._others[int(rng.integers(len(self._others)))]
            if isinstance(other, Volume):
                scan = in_model_space(_coarser(other, self.settings.pixel_mm[0]))
                return Pair(scan, scan, np.zeros((0, 3), np.int64))
            organs = torso_of(other, 1000 * self._seed + number, self.settings.phantom_shape, spacing)
            return self._pair(scanned_twice(organs, 1000 * self._seed + number, enhancement=WIDE))
        height = float(np.random.default_rng([self._seed, 43, number]).uniform(*self.settings.middle_mm))
        return self._pair(
            make_torso_pair(
                1000 * self._seed + number, self.settings.phantom_shape, spacing, middle_mm=height
            )
        )

    def _pair(self, made: TorsoPair) -> Pair:
        bright = ndimage.uniform_filter(made.contrast - made.native, 3) > ENHANCED_HU
        where = np.argwhere(bright)
        chosen = self.rng.permutation(len(where))[:REMEMBERED]
        return Pair(in_model_space(made.native), in_model_space(made.contrast), where[chosen])

    def stacks(self, rng: np.random.Generator, plane: Plane, crop: int, count: int) -> tuple[Tensor, Tensor]:
        """Return ``count`` consecutive slices of a random patient, native and contrast `(count, crop, crop)`.

        Slices that would lie outside are those at the ends. They are flipped and turned unless
        ``settings.turned`` says otherwise.
        ``settings.enhancing_share`` of them are centred on an enhanced voxel. Grids smaller than the crop are
        continued by their mirror image.
        """
        pair = self.entries[int(rng.integers(len(self.entries)))]
        axis = PLANES.index(plane)
        both = as_slices(torch.stack([pair.native, pair.contrast]), plane)
        centre = self._centre(rng, pair)
        at = int(centre[axis])
        image = with_neighbours(both, at, at + 1, count)[0].numpy()
        short = [max(0, crop - n) for n in image.shape[1:]]
        image = np.pad(image, [(0, 0), (0, short[0]), (0, short[1])], mode="symmetric")
        rest = np.delete(centre, axis) - crop // 2
        y, x = (int(np.clip(c, 0, n - crop)) for c, n in zip(rest, image.shape[1:], strict=True))
        image = image[:, y : y + crop, x : x + crop]
        if self.settings.turned:
            image = np.rot90(image, int(rng.integers(4)), (1, 2))[:, :, :: rng.choice([-1, 1])]
        found = torch.from_numpy(np.ascontiguousarray(image))
        return found[0::2], found[1::2]

    def cube(self, rng: np.random.Generator, edge: int) -> tuple[Tensor, Tensor]:
        """Return a random cube of a random patient, native and contrast `(edge, edge, edge)`.

        Centres are chosen, and small grids continued, as those of `stacks`.
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


def anatomy_from(path: Path) -> OrganMap | Volume:
    """Read a map of organs (whole numbers, none of them negative) or a native CT.

    Raises
    ------
    SettingsError
        If it is a CT with contrast medium: its native scan is not known.
    VolumeError
        If a map has labels that are no organs.
    """
    volume = read_volume(path)
    if volume.data.min() >= 0:
        return OrganMap(np.rint(volume.data).astype(np.uint8), volume.spacing_mm)
    phase = guess_phase(volume)
    if phase.enhanced:
        raise SettingsError(
            f"recipe train: found {path.name}, which looks {phase.words}; accepted are native scans and "
            "maps of organs: of an enhanced scan it needs pairs of one patient"
        )
    return volume


def _coarser(scan: Volume, finest_mm: float) -> NDArray[np.float32]:
    """Return the voxels of a scan, in HU, with edges of at least ``finest_mm`` in the slice."""
    steps = [1, *(max(1, int(np.ceil(finest_mm / s))) for s in scan.spacing_mm[1:])]
    return np.asarray(block_reduce(scan.data, tuple(steps), np.mean), np.float32)


__all__ = ["PLANES", "SLICE_MM", "Pair", "TorsoPool", "anatomy_from", "in_model_space"]
