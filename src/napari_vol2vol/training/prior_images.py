"""Images that an unconditional prior is trained on, made while it trains: ellipses, procedural heads."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.phantoms.ellipses import RECIPES, phantom, smooth_phase, with_phase
from napari_vol2vol.sampling.planes import Plane, as_slices
from napari_vol2vol.training.pool import PoolSettings, VolumePool
from napari_vol2vol.training.recipe import Recipe

FloatArray = NDArray[np.float32]
#: The longer an edge, the finer the ellipses in a crop: images are between one and this many crops wide.
WIDEST = 2.0
#: What a recipe's ``images`` can be, and how a card says it.
SOURCES = {"ellipses": "random ellipses", "heads": "procedural heads"}


class ImagePool(Protocol):
    """Images to draw crops from; the same seed gives the same sequence."""

    def renew(self) -> None:
        """Replace a random image."""
        ...

    def draw(self, rng: np.random.Generator, crop: int) -> Tensor:
        """Return a random crop `(channels, crop, crop)`, its magnitude in [0, 1] and 0 where nothing is."""
        ...


class EllipsePool:
    """Random ellipses of all recipes in turn, on square grids of ``settings.crop`` pixels and up."""

    def __init__(self, settings: PoolSettings, seed: int, channels: int) -> None:
        self.settings, self.channels, self._seed, self._made = settings, channels, seed, 0
        self.rng = np.random.default_rng([seed, 41])
        self.images = [self._make() for _ in range(settings.entries)]

    def renew(self) -> None:
        """Replace a random image."""
        self.images[int(self.rng.integers(len(self.images)))] = self._make()

    def draw(self, rng: np.random.Generator, crop: int) -> Tensor:
        """Return a random crop of a random image, flipped and turned."""
        return _crop(self.images[int(rng.integers(len(self.images)))], rng, crop)

    def _make(self) -> FloatArray:
        recipe = list(RECIPES)[self._made % len(RECIPES)]
        edge = round(self.settings.crop * WIDEST ** self.rng.uniform(0, 1))
        self._made += 1
        return phantom(10**6 * self._seed + self._made, (edge, edge), recipe, channels=self.channels)


class HeadPool:
    """Slices of procedural heads; with two channels, each under a smooth random phase."""

    def __init__(
        self, settings: PoolSettings, seed: int, channels: int, planes: tuple[str, ...], target: str
    ) -> None:
        self.channels, self.planes = channels, planes
        settings = replace(settings, phantom_share=1.0)
        self._heads = VolumePool([], (1, 1, 1), settings, seed, target=target, inputs=())

    def renew(self) -> None:
        """Replace a random head."""
        self._heads.renew()

    def draw(self, rng: np.random.Generator, crop: int) -> Tensor:
        """Return a random crop of a random slice, flipped and turned."""
        entries = self._heads.entries
        plane: Plane = self.planes[int(rng.integers(len(self.planes)))]  # type: ignore[assignment]
        slices = as_slices(entries[int(rng.integers(len(entries)))].image[None], plane)
        image: FloatArray = np.asarray((slices[int(rng.integers(len(slices)))].numpy() + 1) / 2, np.float32)
        if self.channels == 2:
            image = with_phase(image[0], smooth_phase(rng, image.shape[1:]))
        return _crop(image, rng, crop)


def make_pool(recipe: Recipe) -> ImagePool:
    """Return the images that a recipe names.

    Raises
    ------
    SettingsError
        For an unknown name.
    """
    if recipe.images == "ellipses":
        return EllipsePool(recipe.pool, recipe.seed, recipe.channels)
    if recipe.images == "heads":
        return HeadPool(recipe.pool, recipe.seed, recipe.channels, recipe.planes, recipe.target)
    raise SettingsError(
        f"recipe {recipe.name}: images: found {recipe.images!r}, accepted are {', '.join(SOURCES)}"
    )


def root_mean_square(pool: ImagePool, crop: int, count: int = 256) -> float:
    """Return the root mean square of one channel over ``count`` crops."""
    rng = np.random.default_rng(43)
    return float(torch.stack([pool.draw(rng, crop).square().mean() for _ in range(count)]).mean().sqrt())


def _crop(image: FloatArray, rng: np.random.Generator, crop: int) -> Tensor:
    """Return a random square of an image `(C, H, W)`, flipped and turned; air continues a smaller one."""
    image = np.pad(image, [(0, 0), *((0, max(0, crop - n)) for n in image.shape[1:])])
    y, x = (int(rng.integers(n - crop + 1)) for n in image.shape[1:])
    image = np.rot90(image[:, y : y + crop, x : x + crop], int(rng.integers(4)), (1, 2))
    return torch.from_numpy(np.ascontiguousarray(image[:, :, :: int(rng.choice([-1, 1]))]))
