"""PSNR of a few-step sample on a held-out volume while training, beside the plain baseline."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_vol2vol.metrics.fidelity import PERCENTILE
from napari_vol2vol.networks.fusion import FusionNetwork
from napari_vol2vol.networks.unet import UNet
from napari_vol2vol.phantoms.brain import make_anatomy, paint
from napari_vol2vol.sampling.branches import Branch, Diffused, plane_model
from napari_vol2vol.sampling.bridge import BridgeSchedule, bridge_denoiser, make_bridge, posterior
from napari_vol2vol.sampling.consistency import projected
from napari_vol2vol.sampling.denoisers import averaged, fused, plane_denoiser, volume_denoiser
from napari_vol2vol.sampling.latent import make_latent
from napari_vol2vol.sampling.measurement import BASE, Measurement
from napari_vol2vol.sampling.noise_bank import NoiseBank
from napari_vol2vol.sampling.planes import PLANES, Plane
from napari_vol2vol.sampling.samplers import Denoiser, ddim
from napari_vol2vol.sampling.schedules import timesteps
from napari_vol2vol.systems.regression import from_planes
from napari_vol2vol.tasks.registry import get_task
from napari_vol2vol.training.precision import faster_precision
from napari_vol2vol.training.recipe import Recipe
from napari_vol2vol.volume import Volume

#: Stages whose networks answer in one call.
DIRECT = ("regression", "regression-2d", "gan-2d", "gan-3d")
BLOCK = 64
STEPS = 6
#: Seed of the procedural head that validates recipes without real volumes; training seeds stay far below.
PHANTOM_SEED = 900_001
PHANTOM_SHAPE = (112, 128, 112)


class Validation:
    """Callable for `Loop`: restores the central 64^3 block of the first held-out volume.

    Without real held-out volumes a procedural head that no pool draws stands in.
    """

    def __init__(
        self,
        recipe: Recipe,
        held_out: Sequence[NDArray[np.float32]],
        diffused: Diffused,
        branches: Sequence[Branch],
        feature_scales: Sequence[int],
    ) -> None:
        self.recipe, self.held_out, self.diffused = recipe, held_out, diffused
        self.branches, self.feature_scales = branches, feature_scales

    @cached_property
    def _case(self) -> tuple[Tensor, Measurement]:
        task, recipe = get_task(self.recipe.task), self.recipe
        volumes = self._volumes()
        truth = task.match(volumes.pop(recipe.target))
        source = task.degrade(truth, recipe.factor) if BASE in recipe.inputs else volumes[recipe.inputs[0]]
        measurement = task.prepare(source, recipe.factor, 8, recipe.inputs, volumes)
        return measurement.intensity.to_model(torch.from_numpy(truth.data.copy())), measurement

    def _volumes(self) -> dict[str, Volume]:
        recipe = self.recipe
        if self.held_out:
            arrays = {recipe.target: self.held_out[0]}
        else:
            anatomy = make_anatomy(PHANTOM_SEED, PHANTOM_SHAPE, lesion=True)
            contrasts = [recipe.target, *(name for name in recipe.inputs if name != BASE)]
            painted = {c: paint(anatomy, c, PHANTOM_SEED) for c in contrasts}  # type: ignore[arg-type]
            arrays = {c: image / np.float32(np.percentile(image, PERCENTILE)) for c, image in painted.items()}
        return {name: Volume.from_array(_middle(a), modality=name) for name, a in arrays.items()}

    def __call__(self, network: nn.Module) -> dict[str, float]:
        """Return PSNR in dB (peak 2 in model space) of the network's sample and of the baselines."""
        truth, m = self._case
        with torch.inference_mode(), faster_precision():
            restored = self._restore(network, m)
        figures = {"psnr": _psnr(restored, truth), "plain": _psnr(m.plain, truth)}
        if BASE in m.conditions:
            figures["smooth"] = _psnr(m.base, truth)
        return figures

    def _restore(self, network: nn.Module, m: Measurement) -> Tensor:
        latent = make_latent(self.diffused.what, self.diffused.scale, m.conditions)
        if self.recipe.stage in DIRECT:
            x = latent.decode(self._answer(network, m))
            return m.observed.projected(x) if m.observed and self.recipe.consistency else x
        denoiser = self._denoiser(network, m)
        if m.observed and self.recipe.consistency:
            denoiser = projected(denoiser, m.observed.operator, latent.encode_observed(m.observed))
        bank, times = NoiseBank(0), timesteps(STEPS)

        def noise(i: int) -> Tensor:
            return bank.draw(i, m.shape)

        if self.recipe.stage == "bridge":
            x1 = latent.encode(m.condition(self.recipe.inputs)[0])
            *_, last = posterior(denoiser, x1, times, self._bridge, noise)
        else:
            *_, last = ddim(denoiser, noise(0), times, self.diffused.schedule, noise)
        return latent.decode(last.x0_hat)

    def _answer(self, network: nn.Module, m: Measurement) -> Tensor:
        """Return z of a network that answers in one call."""
        recipe = self.recipe
        condition = m.condition(recipe.inputs)
        if recipe.stage in ("regression-2d", "gan-2d"):
            return from_planes(network, condition, self._planes, consecutive=recipe.consecutive)
        return network(condition[None], torch.ones(1))[0][0, 0].float()  # type: ignore[no-any-return]

    @property
    def _planes(self) -> list[Plane]:
        return [plane for plane in PLANES if plane in self.recipe.planes]

    @property
    def _bridge(self) -> BridgeSchedule:
        return make_bridge(self.recipe.diffusion.schedule, self.recipe.diffusion.schedule_parameters)

    def _denoiser(self, network: nn.Module, m: Measurement) -> Denoiser:
        recipe = self.recipe
        condition = m.condition(recipe.inputs)
        if recipe.stage == "volume":
            assert isinstance(network, UNet)
            return volume_denoiser(network, condition, self.diffused, multiple=network.config.multiple)
        if recipe.stage == "bridge":
            count, schedule = recipe.consecutive, self._bridge
            return averaged({
                plane: bridge_denoiser(network, condition, plane, schedule, consecutive=count)
                for plane in self._planes
            })  # fmt: skip
        assert isinstance(network, UNet | FusionNetwork)
        branches = self.branches or [
            Branch(network, plane, self.diffused, recipe.inputs, recipe.consecutive)  # type: ignore[arg-type]
            for plane in recipe.planes
        ]
        models = [plane_model(branch, m.conditions, self.diffused) for branch in branches]
        if isinstance(network, FusionNetwork):
            return fused(models, network, self.feature_scales, condition)
        return averaged({model.plane: plane_denoiser(model) for model in models})


def _middle(array: NDArray[np.float32]) -> NDArray[np.float32]:
    return array[tuple(slice(n // 2 - BLOCK // 2, n // 2 + BLOCK // 2) for n in array.shape)]


def _psnr(x: Tensor, truth: Tensor) -> float:
    return float(10 * torch.log10(4 / (x - truth).square().mean()))
