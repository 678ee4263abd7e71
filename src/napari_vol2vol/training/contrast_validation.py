"""MAE in HU of a held-out procedural patient while networks of contrast removal or addition are trained."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from napari_vol2vol.networks.padded import Padded
from napari_vol2vol.phantoms.torso_ct import TorsoPair, make_torso_pair
from napari_vol2vol.sampling.branches import Diffused
from napari_vol2vol.sampling.flow import FLOW_SAMPLERS, Velocity, linear_path, reversed_in_time
from napari_vol2vol.sampling.noise_bank import NoiseBank
from napari_vol2vol.sampling.plane_velocity import plane_velocity
from napari_vol2vol.sampling.planes import apply_plane
from napari_vol2vol.sampling.predictions import to_x0
from napari_vol2vol.sampling.samplers import ddim
from napari_vol2vol.sampling.schedules import timesteps
from napari_vol2vol.systems.ddpm_ct import with_shared_noise
from napari_vol2vol.systems.mfm import NATIVE
from napari_vol2vol.training.flow_pool import in_model_space
from napari_vol2vol.training.precision import faster_precision

#: From a network and a source `(D, H, W)` to the result, in model space.
Restore = Callable[[nn.Module, Tensor], Tensor]
#: The patient that validation looks at, far from the seeds of training.
HELD_OUT = 940001
HELD_OUT_GRID = ((40, 128, 160), (4.0, 2.5, 2.5))
VESSELS = ("aorta", "artery", "heart chamber")
SLICES, DIFFUSION_STEPS = 8, 10


class ContrastValidation:
    """Callable for `Loop`: the error of the result in the whole volume, and in the large arteries."""

    def __init__(self, restore: Restore, target: str = NATIVE, held_out: TorsoPair | None = None) -> None:
        self._restore, self._target, self._held_out = restore, target, held_out

    @property
    def pair(self) -> TorsoPair:
        """The patient, made when first asked for."""
        if self._held_out is None:
            self._held_out = make_torso_pair(HELD_OUT, *HELD_OUT_GRID, breathing_mm=0.0, noise=8.0)
        return self._held_out

    def __call__(self, network: nn.Module) -> dict[str, float]:
        """Return mean absolute errors in HU: of the result, and of the source as it is."""
        pair = self.pair
        vessels = pair.torso.mask(*VESSELS)
        source, truth = in_model_space(pair.contrast), in_model_space(pair.native)
        if self._target != NATIVE:
            source, truth = truth, source
        with torch.inference_mode(), faster_precision():
            restored = self._restore(network, source)
        figures: dict[str, float] = {}
        for name, found in (("", restored), ("source ", source)):
            error = 1000 * np.abs((found - truth).numpy())
            figures |= {
                f"{name}mae hu": float(error.mean()),
                f"{name}mae hu vessels": float(error[vessels].mean()),
            }
        return figures


def one_step_of_rk2(target: str = NATIVE, source_slices: int = 0, multiple: int = 1) -> Restore:
    """Return the way of a flow: one step of RK2 over axial slices, padded to what the network can divide."""

    def restore(network: nn.Module, source: Tensor) -> Tensor:
        velocity = plane_velocity(
            Padded(network, multiple), "axial", source, source_slices, slice_batch=SLICES
        )
        return rk2_once(velocity if target == NATIVE else reversed_in_time(velocity), source)

    return restore


def rk2_once(velocity: Velocity, source: Tensor) -> Tensor:
    """Return where one step of RK2 leads from a source."""
    *_, last = FLOW_SAMPLERS["rk2"](velocity, source, timesteps(1), linear_path, lambda i: source)
    return last.x0_hat


def one_call(source_slices: int = 0, multiple: int = 1) -> Restore:
    """Return the way of a regression: one call over axial slices, padded to what the network can divide."""

    def restore(network: nn.Module, source: Tensor) -> Tensor:
        change = plane_velocity(Padded(network, multiple), "axial", source, source_slices, slice_batch=SLICES)
        return source - change(source, 1.0)

    return restore


def few_steps_of_ddim(diffused: Diffused) -> Restore:
    """Return the way of a diffusion: a few steps of DDIM from one noise for all axial slices."""

    def restore(network: nn.Module, source: Tensor) -> Tensor:
        def denoise(x_t: Tensor, t: float) -> Tensor:
            inputs = torch.stack([x_t, source])
            output = apply_plane(network, inputs, t, "axial", slice_batch=SLICES).prediction
            return to_x0(diffused.prediction, output, x_t, *diffused.coefficients(t, x_t))

        bank, shape = NoiseBank(0), tuple(source.shape)
        sampler, times = with_shared_noise(ddim, "axial"), timesteps(DIFFUSION_STEPS)
        *_, last = sampler(
            denoise, bank.draw(0, shape), times, diffused.schedule, lambda i: bank.draw(i, shape)
        )
        return last.x0_hat * diffused.scale

    return restore
