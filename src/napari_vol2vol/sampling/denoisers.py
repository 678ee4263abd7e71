"""From networks to denoisers: one plane, the average of several, the learned fusion of two."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from napari_vol2vol.networks.fusion import FusionNetwork
from napari_vol2vol.sampling.planes import Plane, PlaneOutput, Tick, apply_plane, no_tick
from napari_vol2vol.sampling.predictions import to_x0
from napari_vol2vol.sampling.samplers import Denoiser
from napari_vol2vol.sampling.schedules import Schedule
from napari_vol2vol.sampling.slabs import in_slabs

#: Receives named intermediate volumes `(D, H, W)`: plane estimates, fusion weight, residual.
Tap = Callable[[str, Tensor], None]


def no_tap(name: str, volume: Tensor) -> None:
    """Keep nothing."""


@dataclass(frozen=True)
class PlaneModel:
    """A 2D network with what is needed to run it on a volume.

    ``condition`` is `(C, D, H, W)` in model space, ``slice_batch`` the number of slices a call.
    """

    network: nn.Module
    plane: Plane
    condition: Tensor
    prediction: str
    schedule: Schedule
    slice_batch: int = 16
    tick: Tick = no_tick

    def __call__(self, x_t: Tensor, t: float, feature_scales: Sequence[int] = ()) -> PlaneOutput:
        """Return the raw prediction `(D, H, W)` and pooled features."""
        inputs = torch.cat([x_t[None], self.condition])
        return apply_plane(
            self.network, inputs, t, self.plane,
            slice_batch=self.slice_batch, feature_scales=feature_scales, tick=self.tick,
        )  # fmt: skip

    def x0_from(self, output: Tensor, x_t: Tensor, t: float) -> Tensor:
        """Return x̂0 from a raw prediction."""
        alpha, sigma = self.schedule(torch.tensor(t, dtype=torch.float64))
        return to_x0(self.prediction, output, x_t, alpha.to(x_t.dtype), sigma.to(x_t.dtype))


def plane_denoiser(model: PlaneModel) -> Denoiser:
    """Return the denoiser of one plane model (Palette, slice by slice)."""

    def denoise(x_t: Tensor, t: float) -> Tensor:
        return model.x0_from(model(x_t, t).prediction, x_t, t)

    return denoise


def averaged(
    denoisers: Mapping[str, Denoiser], weights: Sequence[float] | None = None, tap: Tap = no_tap
) -> Denoiser:
    """Average denoisers in x̂0 space on the *same* x_t (TPDM, TOSM).

    Averaging estimates keeps the variance of samples; averaging noisy samples of separate runs would shrink
    their standard deviation to 1/sqrt(planes).

    Parameters
    ----------
    weights : sequence of float, optional
        One per denoiser, summing to one; equal by default.
    """
    shares = list(weights) if weights is not None else [1 / len(denoisers)] * len(denoisers)
    if len(shares) != len(denoisers) or abs(sum(shares) - 1) > 1e-6:
        raise ValueError(f"weights {shares} must be {len(denoisers)} numbers that sum to one")

    def denoise(x_t: Tensor, t: float) -> Tensor:
        total = torch.zeros_like(x_t)
        for (name, denoiser), share in zip(denoisers.items(), shares, strict=True):
            estimate = denoiser(x_t, t)
            tap(name, estimate)
            total += share * estimate
        return total

    return denoise


def fused(
    models: Sequence[PlaneModel],
    network: FusionNetwork,
    feature_scales: Sequence[int],
    *,
    fusion_lambda: float = 1.0,
    slab: int | None = None,
    tap: Tap = no_tap,
) -> Denoiser:
    """Return the denoiser of Score-Fusion (algorithm 2): plane models, then the 3D network over them.

    ``slab`` limits the axial slices the 3D network sees at once (`in_slabs`).
    """
    first = models[0]

    def run(volumes: list[Tensor], t: float) -> list[Tensor]:
        first.tick()
        (x_t, condition, branches), features = volumes[:3], volumes[3:]
        times = torch.full((1,), t, device=x_t.device, dtype=torch.float32)
        out = network(
            x_t[None], condition[None], branches[None], times, [f[None] for f in features], fusion_lambda
        )
        return [out.prediction[0].float(), out.weights[0].float(), out.residual[0].float()]

    def denoise(x_t: Tensor, t: float) -> Tensor:
        outputs = [model(x_t, t, feature_scales) for model in models]
        branches = torch.stack([o.prediction for o in outputs])
        features = [torch.cat(level) for level in zip(*(o.features for o in outputs), strict=True)]
        volumes, scales = [x_t[None], first.condition, branches, *features], [1, 1, 1, *feature_scales]
        prediction, weights, residual = in_slabs(
            lambda v: run(v, t), volumes, scales, slab, max([network.unet.config.multiple, *feature_scales])
        )
        for model, output in zip(models, outputs, strict=True):
            tap(model.plane, model.x0_from(output.prediction, x_t, t))
        tap("w", weights[0] - 0.5)
        tap("R", residual[0])
        return first.x0_from(prediction[0], x_t, t)

    return denoise
