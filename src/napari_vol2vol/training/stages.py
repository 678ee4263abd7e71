"""The stages a recipe can ask for: plane models, their 3D fusion, 3D diffusion, and 3D regression."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_vol2vol.metrics.fidelity import PERCENTILE
from napari_vol2vol.networks.blocks import channels_last
from napari_vol2vol.networks.fusion import FusionNetwork
from napari_vol2vol.networks.presets import fusion_unet, plane_unet
from napari_vol2vol.networks.unet import UNet
from napari_vol2vol.sampling.branches import Branch, Diffused, plane_model
from napari_vol2vol.sampling.latent import make_latent
from napari_vol2vol.sampling.planes import PLANES, Plane, PlaneOutput, as_slices, joined
from napari_vol2vol.sampling.predictions import target
from napari_vol2vol.sampling.schedules import Schedule
from napari_vol2vol.training.pool import Entry, VolumePool
from napari_vol2vol.training.precision import faster_precision
from napari_vol2vol.training.recipe import Phase, Recipe

Loss = Callable[[nn.Module, int], Tensor]


@dataclass
class Draw:
    """Random crops from a pool, seeded by the step so that a resumed run continues alike."""

    pool: VolumePool
    recipe: Recipe
    diffused: Diffused

    def generator(self, step: int) -> np.random.Generator:
        """Return the random numbers of one step; renews the pool when it is time."""
        if step and step % self.recipe.pool.renew_every == 0:
            self.pool.renew()
        return np.random.default_rng([self.recipe.seed, 23, step])

    def entry(self, rng: np.random.Generator) -> Entry:
        """Return a random pool entry."""
        return self.pool.entries[int(rng.integers(len(self.pool.entries)))]

    def cube(self, rng: np.random.Generator, size: Sequence[int]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the diffused variable and its conditions, all of ``size``, on the block grid.

        Prefers anatomy to air.
        """
        for _ in range(4):
            entry = self.entry(rng)
            start = [
                int(rng.integers((n - min(s, n)) // k + 1)) * k
                for n, s, k in zip(entry.image.shape, size, self.recipe.factor, strict=True)
            ]
            where = tuple(slice(a, a + s) for a, s in zip(start, size, strict=True))
            if entry.anatomy[where].mean() > -0.85:
                break
        conditions = {name: value[where] for name, value in entry.conditions.items()}
        latent = make_latent(self.diffused.what, self.diffused.scale, conditions)
        return latent.encode(entry.image[where]), conditions

    def stacked(
        self, rng: np.random.Generator, phase: Phase
    ) -> tuple[Tensor, Tensor, list[dict[str, Tensor]]]:
        """Return a batch of cubes: z0 `(N, 1, s, s, s)`, conditions `(N, C, s, s, s)`, and those by name."""
        pairs = [self.cube(rng, [phase.crop] * 3) for _ in range(phase.batch)]
        z0 = torch.stack([z for z, _ in pairs])[:, None]
        named = [conditions for _, conditions in pairs]
        stacked = torch.stack([torch.stack([c[k] for k in self.recipe.inputs]) for c in named])
        return z0, stacked, named


def diffuse(
    x0: Tensor, schedule: Schedule, prediction: str, rng: np.random.Generator, early: float = 0.0
) -> tuple[Tensor, Tensor, Tensor]:
    """Return x_t, the training target and t for a batch `(N, ...)`.

    t is stratified over the batch, with a density in proportion to ``t ** early``.
    """
    n = x0.shape[0]
    u = (np.arange(n) + rng.random(n)) / n
    t = torch.from_numpy((u ** (1 / (1 + early))).astype(np.float32))
    t = t[torch.from_numpy(rng.permutation(n))]
    alpha, sigma = (c.reshape((n,) + (1,) * (x0.ndim - 1)) for c in schedule(t))
    noise = torch.from_numpy(rng.standard_normal(x0.shape, dtype=np.float32))
    return alpha * x0 + sigma * noise, target(prediction, x0, noise, alpha, sigma), t


def plane_loss(draw: Draw) -> Loss:
    """Return the loss of the 2D stage: random slices of random planes (Score-Fusion, eq. 1)."""
    recipe, diffused = draw.recipe, draw.diffused

    def loss(network: nn.Module, step: int) -> Tensor:
        rng = draw.generator(step)
        z0, conditions, labels = [], [], []
        for i in range(recipe.batch):
            plane: Plane = recipe.planes[i % len(recipe.planes)]  # type: ignore[assignment]
            slices, given = _slices(draw, rng, plane)
            z0.append(slices)
            conditions.append(given)
            labels.append(PLANES.index(plane))
        x_t, wanted, t = diffuse(
            torch.stack(z0), diffused.schedule, diffused.prediction, rng, recipe.diffusion.early
        )
        # consecutive slices: (N, k, C, h, w) with x_t as the first of the C channels, neighbours outermost
        inputs = torch.cat([x_t[:, :, None], torch.stack(conditions)], 2).flatten(1, 2)
        middle = recipe.consecutive // 2
        with faster_precision():
            output, _ = network(inputs.contiguous(memory_format=torch.channels_last), t, torch.tensor(labels))
        return F.mse_loss(output.float(), wanted[:, middle : middle + 1])

    return loss


def _slices(draw: Draw, rng: np.random.Generator, plane: Plane) -> tuple[Tensor, Tensor]:
    """Return consecutive slices of z0 `(k, h, w)` and of the conditions `(k, C, h, w)`."""
    recipe, axis = draw.recipe, PLANES.index(plane)
    block, reach = recipe.factor[axis], recipe.consecutive // 2
    size = [recipe.crop] * 3
    size[axis] = -(-(block + 2 * reach) // block) * block
    pick = reach + int(rng.integers(block))
    residual, named = draw.cube(rng, size)
    conditions = torch.stack([named[name] for name in recipe.inputs])
    window = slice(pick - reach, pick + reach + 1)
    return as_slices(residual[None], plane)[window, 0], as_slices(conditions, plane)[window]


def fusion_loss(draw: Draw, branches: Sequence[Branch], feature_scales: Sequence[int]) -> Loss:
    """Return the loss of the 3D stage with the 2D branches frozen (Score-Fusion, algorithm 1)."""
    recipe, diffused = draw.recipe, draw.diffused

    def at_work(x_t: Tensor, conditions: dict[str, Tensor], t: float, edge: int) -> list[PlaneOutput]:
        models = [plane_model(b, conditions, diffused, slice_batch=edge) for b in branches]
        return [model(x_t, t, feature_scales) for model in models]

    def loss(network: nn.Module, step: int) -> Tensor:
        rng = draw.generator(step)
        phase = _phase(recipe, step)
        z0, conditions, named = draw.stacked(rng, phase)
        x_t, wanted, t = diffuse(z0, diffused.schedule, diffused.prediction, rng, recipe.diffusion.early)
        predictions, features = [], []
        with torch.no_grad(), faster_precision():
            for i in range(phase.batch):
                outputs = at_work(x_t[i, 0], named[i], float(t[i]), phase.crop)
                predictions.append(torch.stack([o.prediction for o in outputs]))
                features.append([joined(level) for level in zip(*(o.features for o in outputs), strict=True)])
        injected = [torch.stack(level) for level in zip(*features, strict=True)]
        with faster_precision():
            fused = network(x_t, conditions, torch.stack(predictions), t, injected)
        return F.mse_loss(fused.prediction.float(), wanted)

    return loss


def volume_loss(draw: Draw) -> Loss:
    """Return the loss of a fully 3D diffusion model (Palette-3D)."""
    recipe, diffused = draw.recipe, draw.diffused

    def loss(network: nn.Module, step: int) -> Tensor:
        rng = draw.generator(step)
        z0, conditions, _ = draw.stacked(rng, _phase(recipe, step))
        x_t, wanted, t = diffuse(z0, diffused.schedule, diffused.prediction, rng, recipe.diffusion.early)
        with faster_precision():
            output, _ = network(torch.cat([x_t, conditions], 1), t)
        return F.mse_loss(output.float(), wanted)

    return loss


def regression_loss(draw: Draw) -> Loss:
    """Return the loss of the baseline: z0 from the conditions alone, in one 3D network call."""
    recipe = draw.recipe

    def loss(network: nn.Module, step: int) -> Tensor:
        rng = draw.generator(step)
        phase = _phase(recipe, step)
        z0, conditions, _ = draw.stacked(rng, phase)
        with faster_precision():
            output, _ = network(conditions, torch.ones(phase.batch))
        return F.mse_loss(output.float(), z0)

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
    return channels_last(UNet(plane_unet(recipe.preset, len(recipe.inputs), recipe.consecutive)), 2)


def make_fusion_network(recipe: Recipe, branches: Sequence[Branch]) -> tuple[FusionNetwork, tuple[int, ...]]:
    """Return the untrained fusion network of a recipe and the feature scales it injects."""
    scales: tuple[int, ...] = ()
    widths: tuple[int, ...] = ()
    if recipe.inject:
        levels = len(fusion_unet(recipe.preset).channels)
        configs = [branch.network.config for branch in branches]
        widths = tuple(sum(c.channels[level] for c in configs) for level in range(levels))
        scales = tuple(configs[0].stem * 2**level for level in range(levels))
    config = fusion_unet(recipe.preset, len(recipe.inputs), len(branches), widths)
    network = FusionNetwork(replace(config, alignment=recipe.alignment))
    return channels_last(network, 3), scales


def make_volume_network(recipe: Recipe, *, diffusion: bool) -> UNet:
    """Return an untrained 3D network over the conditions, and x_t where it is a diffusion model."""
    config = fusion_unet(recipe.preset)
    channels = len(recipe.inputs) + int(diffusion)
    return channels_last(UNet(replace(config, in_channels=channels, out_channels=1)), 3)


def load_training_volume(path: Path) -> np.ndarray:
    """Read a NIfTI volume as canonical `(z, y, x)`, clipped to its 99.5th percentile, in [0, 1]."""
    import nibabel as nib

    image = nib.as_closest_canonical(nib.load(path))
    data = np.asarray(image.dataobj, dtype=np.float32).squeeze().T
    return np.ascontiguousarray(np.clip(data / np.percentile(data, PERCENTILE), 0, 1))
