"""What a model of one modality is trained on: slices of the target, and what stands for a source."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_vol2vol.sampling.planes import PLANES, Plane, as_slices
from napari_vol2vol.training.pool import VolumePool
from napari_vol2vol.training.recipe import Recipe

FloatArray = NDArray[np.float32]
#: Intensities that a random curve is drawn for, between its fixed value for air and the brightest.
KNOTS = (0.12, 0.3, 0.5, 0.7, 1.0)
#: Largest standard deviation of the noise that a source may have besides.
SOURCE_NOISE = 0.03
#: Crops with a lower mean than this are mostly air; some tries are made for another.
AIR, TRIES = -0.85, 4


class TargetPool(VolumePool):
    """Heads of the target modality as they are: their brightness is what a model has to learn."""

    def _varied(self, image: FloatArray) -> FloatArray:
        return image


def target_pool(recipe: Recipe, volumes: Sequence[FloatArray]) -> TargetPool:
    """Return the pool of a recipe: real volumes of the target and procedural heads, no other modality."""
    return TargetPool(volumes, (1, 1, 1), recipe.pool, recipe.seed, target=recipe.target, inputs=())


def draw_slices(
    pool: VolumePool, recipe: Recipe, rng: np.random.Generator, count: int
) -> tuple[Tensor, Tensor]:
    """Return ``count`` crops `(N, crop, crop)` in model space, planes in turn, and their labels `(N,)`."""
    planes: list[Plane] = [p for p in PLANES if p in recipe.planes]
    chosen = [planes[i % len(planes)] for i in range(count)]
    slices = torch.stack([_crop(pool, rng, plane, recipe.crop) for plane in chosen])
    return slices, torch.tensor([PLANES.index(plane) for plane in chosen])


def _crop(pool: VolumePool, rng: np.random.Generator, plane: Plane, edge: int) -> Tensor:
    for _ in range(TRIES):
        volume = pool.entries[int(rng.integers(len(pool.entries)))].image
        slices = as_slices(volume[None], plane)[:, 0]
        picked = slices[int(rng.integers(len(slices)))]
        y, x = (int(rng.integers(n - edge + 1)) for n in picked.shape)
        crop = picked[y : y + edge, x : x + edge]
        if crop.mean() > AIR:
            break
    return crop.contiguous()


def as_source(image: Tensor, rng: np.random.Generator, remapped: float) -> Tensor:
    """Return what stands for the source of an image `(H, W)` in model space: itself, or another contrast.

    A random curve through `KNOTS` leaves air dark and every border where it was, but tells nothing of the
    order of the tissues; the brightest value is 1 again, as a task would scale it. Noise comes on top.
    """
    if rng.random() >= remapped:
        return image
    heights = rng.uniform(0.05, 1.0, len(KNOTS))
    curve = np.array([0.0, *(heights / heights.max())], np.float32)
    share = ((image + 1) / 2).clamp(0, 1).numpy()
    moved = np.interp(share, [0.0, *KNOTS], curve).astype(np.float32)
    sigma = rng.uniform(0, SOURCE_NOISE)
    noise = rng.standard_normal((2, *moved.shape), dtype=np.float32) * np.float32(sigma)
    return torch.from_numpy(np.clip(np.hypot(moved + noise[0], noise[1]), 0, 1) * 2 - 1)
