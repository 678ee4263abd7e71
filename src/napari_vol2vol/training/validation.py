"""PSNR of a few-step sample on a held-out volume while training, beside trilinear."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_vol2vol.networks.fusion import FusionNetwork
from napari_vol2vol.networks.unet import UNet
from napari_vol2vol.sampling.consistency import projected
from napari_vol2vol.sampling.denoisers import PlaneModel, averaged, fused, plane_denoiser
from napari_vol2vol.sampling.latent import Latent, make_latent
from napari_vol2vol.sampling.measurement import Measurement
from napari_vol2vol.sampling.noise_bank import NoiseBank
from napari_vol2vol.sampling.samplers import Denoiser, ddim
from napari_vol2vol.sampling.schedules import make_schedule, timesteps
from napari_vol2vol.tasks.super_resolution import SuperResolution
from napari_vol2vol.training.recipe import Recipe
from napari_vol2vol.volume import Volume

BLOCK = 64
STEPS = 6


class Validation:
    """Callable for `Loop`: restores the central 64^3 block of the first held-out volume."""

    def __init__(
        self,
        recipe: Recipe,
        held_out: Sequence[NDArray[np.float32]],
        scale: float,
        planes: UNet | None,
        feature_scales: Sequence[int],
    ) -> None:
        self.recipe, self.held_out, self.scale = recipe, held_out, scale
        self.planes, self.feature_scales = planes, feature_scales

    @cached_property
    def _case(self) -> tuple[Tensor, Measurement]:
        volume = self.held_out[0]
        block = tuple(slice(n // 2 - BLOCK // 2, n // 2 + BLOCK // 2) for n in volume.shape)
        task = SuperResolution()
        truth = Volume.from_array(volume[block])
        measurement = task.prepare(task.degrade(truth, self.recipe.factor), self.recipe.factor, 8)
        return measurement.intensity.to_model(torch.from_numpy(truth.data.copy())), measurement

    def __call__(self, network: nn.Module) -> dict[str, float]:
        """Return PSNR in dB (peak 2 in model space) of the network's sample and of trilinear."""
        truth, m = self._case
        latent = make_latent(self.recipe.diffusion.what, self.scale, m)
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            restored = self._restore(network, m, latent)
        return {
            "psnr": _psnr(restored, truth),
            "trilinear": _psnr(m.plain, truth),
            "smooth": _psnr(m.base, truth),
        }

    def _restore(self, network: nn.Module, m: Measurement, latent: Latent) -> Tensor:
        if self.recipe.stage == "regression":
            z = network(m.base[None, None], torch.ones(1))[0][0, 0].float()
            x = latent.decode(z)
            return x - m.operator.pseudo_inverse(m.operator(x) - m.y)
        schedule = make_schedule(self.recipe.diffusion.schedule, self.recipe.diffusion.schedule_parameters)
        denoiser = projected(self._denoiser(network, m), m.operator, latent.encode_measurement(m))
        bank = NoiseBank(0)
        shape = tuple(m.base.shape)
        *_, last = ddim(
            denoiser, bank.draw(0, shape), timesteps(STEPS), schedule, lambda i: bank.draw(i, shape)
        )
        return latent.decode(last.x0_hat)

    def _denoiser(self, network: nn.Module, m: Measurement) -> Denoiser:
        schedule = make_schedule(self.recipe.diffusion.schedule, self.recipe.diffusion.schedule_parameters)
        plane_network = network if self.planes is None else self.planes
        models = [
            PlaneModel(plane_network, plane, m.base[None], self.recipe.diffusion.prediction, schedule)  # type: ignore[arg-type]
            for plane in self.recipe.planes
        ]
        if isinstance(network, FusionNetwork):
            return fused(models, network, self.feature_scales)
        return averaged({model.plane: plane_denoiser(model) for model in models})


def _psnr(x: Tensor, truth: Tensor) -> float:
    return float(10 * torch.log10(4 / (x - truth).square().mean()))
