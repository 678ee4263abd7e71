"""A pool of augmented training volumes that renews itself while training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.metrics.fidelity import PERCENTILE
from napari_vol2vol.phantoms.brain import Anatomy, make_anatomy, paint, rotation_matrix
from napari_vol2vol.physics import BlockAverage, smooth_inverse
from napari_vol2vol.sampling.measurement import BASE

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class PoolSettings:
    """``crop`` is the edge in voxels of a pool entry, ``phantom_share`` the share of procedural heads.

    ``phantom_shape`` is the grid `(z, y, x)` that a procedural head is cut from. ``smallest_view`` is the
    edge of the smallest cube of it whose 99.5th percentile may set the scale of intensities, as a user's
    block of a head does (0: always the whole head's). ``lesions`` plants one in every head, in none, or
    (None) in a third of them. ``enhancing_share`` is the share of crops of a CT that are centred where
    contrast medium went; the others lie anywhere. ``turned`` turns and flips them, so that a network cannot
    tell left from right; ``middle_mm`` is the range of heights in the body that the middle of a procedural
    torso is drawn from (0: upper abdomen, 100: lower chest); ``pixel_mm`` that of its voxels' edges in
    axial slices.
    """

    entries: int = 16
    crop: int = 160
    renew_every: int = 40
    phantom_share: float = 0.2
    phantom_anatomies: int = 4
    phantom_shape: tuple[int, int, int] = (160, 192, 160)
    smallest_view: int = 0
    lesions: bool | None = None
    enhancing_share: float = 0.0
    turned: bool = True
    middle_mm: tuple[float, float] = (0.0, 0.0)
    pixel_mm: tuple[float, float] = (0.9, 3.0)


@dataclass(frozen=True)
class Entry:
    """One augmented head in model space: the wanted image and its conditions, all `(D, H, W)` in [-1, 1]."""

    image: Tensor
    conditions: Mapping[str, Tensor]

    @property
    def anatomy(self) -> Tensor:
        """A volume that shows where the head is: the first condition."""
        return next(iter(self.conditions.values()))


def _rotation_and_zoom(rng: np.random.Generator) -> FloatArray:
    matrix = rotation_matrix(rng.normal(0, 0.12, 3))
    zoom = np.exp(rng.uniform(np.log(0.72), np.log(1.1))) * rng.uniform(0.96, 1.04, 3)
    return np.asarray(matrix * zoom, np.float32)


class VolumePool:
    """Augmented crops of real volumes and procedural heads; the same seed gives the same sequence.

    Parameters
    ----------
    volumes : sequence of arrays (z, y, x)
        Real volumes of the target contrast scaled to [0, 1]; only where the base is the one input.
    target : str
        The wanted contrast.
    inputs : sequence of str
        The conditions: ``base`` or contrasts.

    Raises
    ------
    SettingsError
        If real volumes are given where other contrasts are inputs, or nothing at all.
    """

    def __init__(
        self,
        volumes: Sequence[FloatArray],
        factor: tuple[int, int, int],
        settings: PoolSettings,
        seed: int,
        *,
        target: str = "T1w",
        inputs: Sequence[str] = (BASE,),
    ) -> None:
        self.settings, self.factor = settings, factor
        self.target, self.inputs = target, tuple(inputs)
        if volumes and self._others:
            raise SettingsError(
                f"recipe: real volumes of one contrast cannot train with {', '.join(self._others)} as input"
            )
        self.rng = np.random.default_rng([seed, 11])
        self._operator = BlockAverage(factor)
        self._volumes = list(volumes)
        self._splines = [np.asarray(ndimage.spline_filter(v, order=3), np.float32) for v in volumes]
        wanted = settings.phantom_anatomies if settings.phantom_share > 0 else 0
        self._anatomies: list[Anatomy] = [
            make_anatomy(1000 * seed + i, settings.phantom_shape, lesion=settings.lesions)
            for i in range(wanted)
        ]
        if not self._volumes and not self._anatomies:
            raise SettingsError("recipe: found neither real volumes nor procedural heads to train on")
        self.entries = [self._make() for _ in range(settings.entries)]

    def renew(self) -> None:
        """Replace a random entry."""
        self.entries[int(self.rng.integers(len(self.entries)))] = self._make()

    @property
    def _others(self) -> list[str]:
        return [name for name in self.inputs if name != BASE]

    def scale_of(self, what: str) -> float:
        """Return the root mean square of what is diffused, over the present entries.

        A ``residual`` counts where there is anatomy, an ``image`` everywhere.
        """
        if what == "image":
            squares = [e.image.square().mean() for e in self.entries]
        else:
            squares = [
                (e.image - e.conditions[BASE]).square()[e.conditions[BASE] > -0.9].mean()
                for e in self.entries
            ]
        return float(torch.stack(squares).mean().sqrt())

    def _make(self) -> Entry:
        use_phantom = not self._volumes or (
            self._anatomies and self.rng.random() < self.settings.phantom_share
        )
        images = self._phantom() if use_phantom else {self.target: self._real()}
        if self.rng.random() < 0.5:
            images = {name: image[:, :, ::-1] for name, image in images.items()}
        varied = [self.target] if not self._others else self._others
        tensors = {
            name: self._in_model_space(self._varied(image) if name in varied else image)
            for name, image in images.items()
        }
        image = tensors[self.target]
        if BASE in self.inputs:
            low = self._operator(image) / self._operator.gain
            tensors[BASE] = smooth_inverse(low, self.factor)
        return Entry(image, {name: tensors[name] for name in self.inputs})

    def _varied(self, image: FloatArray) -> FloatArray:
        """Vary contrast and brightness, sometimes noise."""
        image = np.clip(image, 0, None) ** np.exp(self.rng.normal(0, 0.15)) * self.rng.uniform(0.85, 1.2)
        if self.rng.random() < 0.25:
            sigma = self.rng.uniform(0.0, 0.03)
            image = np.hypot(
                image + self.rng.normal(0, sigma, image.shape), self.rng.normal(0, sigma, image.shape)
            )
        return np.asarray(image, np.float32)

    @staticmethod
    def _in_model_space(image: FloatArray) -> Tensor:
        return 2 * torch.from_numpy(np.array(np.clip(image, 0, 1), dtype=np.float32)) - 1

    def _real(self) -> FloatArray:
        index = int(self.rng.integers(len(self._volumes)))
        size = (self.settings.crop,) * 3
        volume = self._volumes[index]
        room = np.maximum(np.array(volume.shape) - size, 0)
        if self.rng.random() < 0.35:  # the scan as it is: only a shift of the block grid
            start = np.array([self.rng.integers(r + 1) for r in room])
            crop = volume[tuple(slice(s, s + n) for s, n in zip(start, size, strict=True))]
            return np.pad(crop, [(0, n - c) for n, c in zip(size, crop.shape, strict=True)], mode="edge")
        matrix = _rotation_and_zoom(self.rng)
        centre = np.array(volume.shape) / 2 + self.rng.uniform(-0.5, 0.5, 3) * room
        offset = centre - matrix @ (np.array(size) / 2)
        moved = ndimage.affine_transform(
            self._splines[index], matrix, offset, output_shape=size, order=3, mode="nearest", prefilter=False
        )
        return np.asarray(moved, np.float32)

    def _phantom(self) -> dict[str, FloatArray]:
        anatomy = self._anatomies[int(self.rng.integers(len(self._anatomies)))]
        seed = int(self.rng.integers(2**31))
        size = self.settings.crop
        start: list[int] = []
        images: dict[str, FloatArray] = {}
        view = self._view(anatomy.core.shape)
        for contrast in (self.target, *self._others):
            image = paint(anatomy, contrast, seed)  # type: ignore[arg-type]
            image = image / np.percentile(image[view], PERCENTILE)
            start = start or [int(self.rng.integers(max(n - size, 0) + 1)) for n in image.shape]
            crop = image[tuple(slice(s, s + size) for s in start)]
            images[contrast] = np.asarray(
                np.pad(crop, [(0, size - c) for c in crop.shape], mode="edge"), np.float32
            )
        return images

    def _view(self, shape: Sequence[int]) -> tuple[slice, ...]:
        """Return the block of a head that sets its scale: mostly around the middle, of any size allowed."""
        if not self.settings.smallest_view:
            return tuple(slice(None) for _ in shape)
        edges = [int(self.rng.integers(min(self.settings.smallest_view, n), n + 1)) for n in shape]
        starts = [round((n - e) * self.rng.beta(4, 4)) for n, e in zip(shape, edges, strict=True)]
        return tuple(slice(s, s + e) for s, e in zip(starts, edges, strict=True))
