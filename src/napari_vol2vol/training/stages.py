"""The three stages a recipe can ask for: plane models, their 3D fusion, and the regression baseline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_vol2vol.networks.blocks import channels_last
from napari_vol2vol.networks.fusion import FusionNetwork
from napari_vol2vol.networks.presets import fusion_unet, plane_unet
from napari_vol2vol.networks.unet import UNet
from napari_vol2vol.sampling.planes import PLANES, Plane, apply_plane, as_slices
from napari_vol2vol.sampling.predictions import target
from napari_vol2vol.sampling.schedules import Schedule, make_schedule
from napari_vol2vol.training.pool import Entry, VolumePool
from napari_vol2vol.training.recipe import Phase, Recipe

Loss = Callable[[nn.Module, int], Tensor]


@dataclass
class Draw:
    """Random crops from a pool, seeded by the step so that a resumed run continues alike."""

    pool: VolumePool
    recipe: Recipe
    scale: float

    def generator(self, step: int) -> np.random.Generator:
        """Return the random numbers of one step; renews the pool when it is time."""
        if step and step % self.recipe.pool.renew_every == 0:
            self.pool.renew()
        return np.random.default_rng([self.recipe.seed, 23, step])

    def entry(self, rng: np.random.Generator) -> Entry:
        """Return a random pool entry."""
        return self.pool.entries[int(rng.integers(len(self.pool.entries)))]

    def cube(self, rng: np.random.Generator, size: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Return residual (unit variance) and base, both `size`, on the block grid, preferring anatomy."""
        for _ in range(4):
            entry = self.entry(rng)
            start = [
                int(rng.integers((n - min(s, n)) // k + 1)) * k
                for n, s, k in zip(entry.image.shape, size, self.recipe.factor, strict=True)
            ]
            where = tuple(slice(a, a + s) for a, s in zip(start, size, strict=True))
            base = entry.base[where]
            if base.mean() > -0.85:
                break
        return (entry.image[where] - base) / self.scale, base


def diffuse(
    x0: Tensor, schedule: Schedule, prediction: str, rng: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Return x_t, the training target and t for a batch `(N, ...)`, with t stratified over the batch."""
    n = x0.shape[0]
    t = torch.from_numpy(((np.arange(n) + rng.random(n)) / n).astype(np.float32))
    t = t[torch.from_numpy(rng.permutation(n))]
    alpha, sigma = (c.reshape((n,) + (1,) * (x0.ndim - 1)) for c in schedule(t))
    noise = torch.from_numpy(rng.standard_normal(x0.shape, dtype=np.float32))
    return alpha * x0 + sigma * noise, target(prediction, x0, noise, alpha, sigma), t


def plane_loss(draw: Draw) -> Loss:
    """Return the loss of the 2D stage: random slices of random planes (Score-Fusion, eq. 1)."""
    recipe = draw.recipe
    schedule = make_schedule(recipe.diffusion.schedule, recipe.diffusion.schedule_parameters)

    def loss(network: nn.Module, step: int) -> Tensor:
        rng = draw.generator(step)
        x0, base, labels = [], [], []
        for i in range(recipe.batch):
            plane: Plane = recipe.planes[i % len(recipe.planes)]  # type: ignore[assignment]
            axis = PLANES.index(plane)
            size = [recipe.crop] * 3
            size[axis] = recipe.factor[axis]
            pick = int(rng.integers(size[axis]))
            residual, smooth = draw.cube(rng, size)
            x0.append(as_slices(residual[None], plane)[pick])
            base.append(as_slices(smooth[None], plane)[pick])
            labels.append(axis)
        x_t, wanted, t = diffuse(torch.stack(x0), schedule, recipe.diffusion.prediction, rng)
        inputs = torch.cat([x_t, torch.stack(base)], 1).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            output, _ = network(inputs, t, torch.tensor(labels))
        return F.mse_loss(output.float(), wanted)

    return loss


def fusion_loss(draw: Draw, plane_network: nn.Module, feature_scales: Sequence[int]) -> Loss:
    """Return the loss of the 3D stage with the plane models frozen (Score-Fusion, algorithm 1)."""
    recipe = draw.recipe
    schedule = make_schedule(recipe.diffusion.schedule, recipe.diffusion.schedule_parameters)
    plane_network.eval().requires_grad_(False)
    planes: list[Plane] = list(recipe.planes)  # type: ignore[arg-type]

    def loss(network: nn.Module, step: int) -> Tensor:
        rng = draw.generator(step)
        phase = _phase(recipe, step)
        pairs = [draw.cube(rng, [phase.crop] * 3) for _ in range(phase.batch)]
        x0, base = (torch.stack(p)[:, None] for p in zip(*pairs, strict=True))
        x_t, wanted, t = diffuse(x0, schedule, recipe.diffusion.prediction, rng)
        branches, features = [], []
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            for i in range(phase.batch):
                outputs = [
                    apply_plane(
                        plane_network, torch.cat([x_t[i], base[i]]), float(t[i]), plane,
                        slice_batch=phase.crop, feature_scales=feature_scales,
                    )
                    for plane in planes
                ]  # fmt: skip
                branches.append(torch.stack([o.prediction for o in outputs]))
                features.append(
                    [torch.cat(level) for level in zip(*(o.features for o in outputs), strict=True)]
                )
        injected = [torch.stack(level) for level in zip(*features, strict=True)]
        with torch.autocast("cpu", torch.bfloat16):
            fused = network(x_t, base, torch.stack(branches), t, injected)
        return F.mse_loss(fused.prediction.float(), wanted)

    return loss


def regression_loss(draw: Draw) -> Loss:
    """Return the loss of the baseline: the residual from the smooth inverse alone, in one 3D network call."""
    recipe = draw.recipe

    def loss(network: nn.Module, step: int) -> Tensor:
        rng = draw.generator(step)
        phase = _phase(recipe, step)
        pairs = [draw.cube(rng, [phase.crop] * 3) for _ in range(phase.batch)]
        x0, base = (torch.stack(p)[:, None] for p in zip(*pairs, strict=True))
        with torch.autocast("cpu", torch.bfloat16):
            output, _ = network(base, torch.ones(phase.batch))
        return F.mse_loss(output.float(), x0)

    return loss


def _phase(recipe: Recipe, step: int) -> Phase:
    end = 0
    for phase in recipe.phases:
        end += phase.steps
        if step < end:
            return phase
    return recipe.phases[-1]


def make_plane_network(recipe: Recipe) -> UNet:
    """Return the untrained 2D network of a recipe, channels last."""
    return channels_last(UNet(plane_unet(recipe.preset)), 2)


def make_fusion_network(recipe: Recipe, plane_network: UNet) -> tuple[FusionNetwork, tuple[int, ...]]:
    """Return the untrained fusion network of a recipe and the feature scales it injects."""
    scales: tuple[int, ...] = ()
    widths: tuple[int, ...] = ()
    if recipe.inject:
        levels = len(fusion_unet(recipe.preset).channels)
        config = plane_network.config
        widths = tuple(c * len(recipe.planes) for c in config.channels[:levels])
        scales = tuple(config.stem * 2**i for i in range(levels))
    network = FusionNetwork(fusion_unet(recipe.preset, branches=len(recipe.planes), inject=widths))
    return channels_last(network, 3), scales


def make_regression_network(recipe: Recipe) -> UNet:
    """Return the untrained 3D regression network: the fusion U-Net with only the smooth inverse as input."""
    from dataclasses import replace

    config = replace(fusion_unet(recipe.preset), in_channels=1, out_channels=1)
    return channels_last(UNet(config), 3)


def load_training_volume(path: Path) -> np.ndarray:
    """Read a NIfTI volume as canonical `(z, y, x)`, clipped to its 99.5th percentile, in [0, 1]."""
    import nibabel as nib

    image = nib.as_closest_canonical(nib.load(path))
    data = np.asarray(image.dataobj, dtype=np.float32).squeeze().T
    return np.ascontiguousarray(np.clip(data / np.percentile(data, 99.5), 0, 1))
