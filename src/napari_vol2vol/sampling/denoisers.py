"""From networks to denoisers: one plane, one volume, the average of several, their learned fusion."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.networks.fusion import FusionNetwork
from napari_vol2vol.sampling.branches import Diffused, PlaneModel, names_of
from napari_vol2vol.sampling.planes import Tick, joined, no_tick
from napari_vol2vol.sampling.predictions import to_x0
from napari_vol2vol.sampling.samplers import Denoiser
from napari_vol2vol.sampling.slabs import in_slabs

#: Receives named intermediate volumes `(D, H, W)`: plane estimates, fusion weight, residual.
Tap = Callable[[str, Tensor], None]


def no_tap(name: str, volume: Tensor) -> None:
    """Keep nothing."""


def plane_denoiser(model: PlaneModel) -> Denoiser:
    """Return the denoiser of one plane model (Palette, slice by slice)."""

    def denoise(x_t: Tensor, t: float) -> Tensor:
        return model.x0_from(model(x_t, t).prediction, x_t, t)

    return denoise


def volume_denoiser(
    network: nn.Module,
    condition: Tensor,
    diffused: Diffused,
    *,
    multiple: int,
    slab: int | None = None,
    tick: Tick = no_tick,
) -> Denoiser:
    """Return the denoiser of a fully 3D network (Palette-3D, the layout of Med-DDPM).

    Parameters
    ----------
    network : nn.Module
        Called as ``network(x, t)`` with x `(1, 1 + C, D, H, W)`, returning ``(output, features)``.
    condition : Tensor, shape (C, D, H, W)
    multiple : int
        What a slab of axial slices must be divisible by (`in_slabs`).
    """

    def run(volumes: list[Tensor], t: float) -> list[Tensor]:
        tick()
        times = torch.full((1,), t, device=condition.device, dtype=torch.float32)
        return [network(torch.cat(volumes)[None], times)[0][0].float()]

    def denoise(x_t: Tensor, t: float) -> Tensor:
        (output,) = in_slabs(lambda v: run(v, t), [x_t[None], condition], [1, 1], slab, multiple)
        return to_x0(diffused.prediction, output[0], x_t, *diffused.coefficients(t, x_t))

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
        raise SettingsError(f"weights: found {shares}, accepted are {len(denoisers)} numbers that sum to one")

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
    condition: Tensor,
    *,
    fusion_lambda: float = 1.0,
    slab: int | None = None,
    tap: Tap = no_tap,
) -> Denoiser:
    """Return the denoiser of Score-Fusion (algorithm 2): plane models, then the 3D network over them.

    Parameters
    ----------
    condition : Tensor, shape (C, D, H, W)
        What the 3D network is conditioned on.
    slab : int, optional
        Limits the axial slices the 3D network sees at once (`in_slabs`).
    """
    first = models[0]

    def run(volumes: list[Tensor], t: float) -> list[Tensor]:
        first.tick()
        (x_t, given, branches), features = volumes[:3], volumes[3:]
        times = torch.full((1,), t, device=x_t.device, dtype=torch.float32)
        out = network(
            x_t[None], given[None], branches[None], times, [f[None] for f in features], fusion_lambda
        )
        return [out.prediction[0].float(), out.weights[0].float(), out.residual[0].float()]

    def denoise(x_t: Tensor, t: float) -> Tensor:
        outputs = [model(x_t, t, feature_scales) for model in models]
        branches = torch.stack([o.prediction for o in outputs])
        features = [joined(level) for level in zip(*(o.features for o in outputs), strict=True)]
        volumes, scales = [x_t[None], condition, branches, *features], [1, 1, 1, *feature_scales]
        prediction, weights, residual = in_slabs(
            lambda v: run(v, t), volumes, scales, slab, max([network.unet.config.multiple, *feature_scales])
        )
        for name, output in zip(names_of(models), outputs, strict=True):
            tap(name, first.x0_from(output.prediction, x_t, t))
        tap("w", weights[0] - 1 / len(models))
        tap("R", residual[0])
        return first.x0_from(prediction[0], x_t, t)

    return denoise
