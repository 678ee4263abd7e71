"""A branch of an ensemble: one 2D network along one plane, under its own conditions and diffused variable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from napari_vol2vol.networks.unet import UNet
from napari_vol2vol.sampling.latent import Latent, make_latent
from napari_vol2vol.sampling.planes import Plane, PlaneOutput, Tick, apply_plane, no_tick
from napari_vol2vol.sampling.predictions import from_x0, to_x0
from napari_vol2vol.sampling.schedules import Schedule, make_schedule, time_of_noise


@dataclass(frozen=True)
class Diffused:
    """What a network was trained to denoise: ``residual`` or ``image``, its scale, prediction, schedule."""

    what: str = "residual"
    scale: float = 1.0
    prediction: str = "v"
    schedule_name: str = "vp_cosine"
    schedule_parameters: Mapping[str, float] = field(default_factory=dict)

    @cached_property
    def schedule(self) -> Schedule:
        """The schedule of that name."""
        return make_schedule(self.schedule_name, self.schedule_parameters)

    def coefficients(self, t: float, like: Tensor) -> tuple[Tensor, Tensor]:
        """Return (alpha, sigma) at ``t`` in the dtype of ``like``."""
        alpha, sigma = self.schedule(torch.tensor(t, dtype=torch.float64, device=like.device))
        return alpha.to(like.dtype), sigma.to(like.dtype)


@dataclass(frozen=True)
class Branch:
    """A 2D network and how it is to be used; ``inputs`` names its conditions, in channel order."""

    network: UNet
    plane: Plane
    diffused: Diffused
    inputs: tuple[str, ...] = ("base",)
    consecutive: int = 1


@dataclass(frozen=True)
class PlaneModel:
    """A branch at work on one volume, inside a run that diffuses ``z`` as ``shared`` says.

    A branch trained on another diffused variable (say the image, where the run diffuses a residual) is used
    unchanged: both are affine in the image x, so ``x_t`` of one is ``u_t'`` of the other at the time t' of
    equal noise, and its x̂0 is carried back. That is exact.

    Parameters
    ----------
    condition : Tensor, shape (C, D, H, W)
    latent, shared_latent : Latent
        Of the branch and of the run.
    """

    branch: Branch
    condition: Tensor
    latent: Latent
    shared: Diffused
    shared_latent: Latent
    slice_batch: int = 16
    tick: Tick = no_tick

    @property
    def plane(self) -> Plane:
        """The plane of the branch."""
        return self.branch.plane

    def __call__(self, x_t: Tensor, t: float, feature_scales: Sequence[int] = ()) -> PlaneOutput:
        """Return the prediction `(D, H, W)`, as the run's own kind of prediction, and pooled features."""
        if self.branch.diffused == self.shared:
            return self._apply(x_t, t, feature_scales)
        own = self.branch.diffused
        alpha, sigma = self.shared.coefficients(t, x_t)
        ratio = float(sigma / alpha.clamp(min=1e-9)) * self.shared_latent.scale / self.latent.scale
        t_own = time_of_noise(own.schedule, ratio)
        alpha_own, sigma_own = own.coefficients(t_own, x_t)
        shift = (self.shared_latent.base - self.latent.base) / self.latent.scale
        u_t = (sigma_own / sigma) * x_t + alpha_own * shift
        output = self._apply(u_t, t_own, feature_scales)
        u0_hat = to_x0(own.prediction, output.prediction, u_t, alpha_own, sigma_own)
        z0_hat = self.shared_latent.encode(self.latent.decode(u0_hat))
        prediction = from_x0(self.shared.prediction, z0_hat, x_t, alpha, sigma)
        return PlaneOutput(prediction, output.features)

    def x0_from(self, prediction: Tensor, x_t: Tensor, t: float) -> Tensor:
        """Return x̂0 from a prediction of the run's kind."""
        alpha, sigma = self.shared.coefficients(t, x_t)
        return to_x0(self.shared.prediction, prediction, x_t, alpha, sigma)

    def _apply(self, x_t: Tensor, t: float, feature_scales: Sequence[int]) -> PlaneOutput:
        return apply_plane(
            self.branch.network, torch.cat([x_t[None], self.condition]), t, self.plane,
            slice_batch=self.slice_batch, feature_scales=feature_scales,
            consecutive=self.branch.consecutive, tick=self.tick,
        )  # fmt: skip


def names_of(models: Sequence[PlaneModel]) -> list[str]:
    """Return a name for each model: its plane, with its conditions where several share a plane."""
    planes = [model.plane for model in models]
    if len(set(planes)) == len(planes):
        return list(planes)
    return [f"{model.plane} ({', '.join(model.branch.inputs)})" for model in models]


def plane_model(
    branch: Branch,
    conditions: Mapping[str, Tensor],
    shared: Diffused,
    *,
    slice_batch: int = 16,
    tick: Tick = no_tick,
) -> PlaneModel:
    """Put a branch to work on conditions `(D, H, W)` in model space, by name."""
    return PlaneModel(
        branch,
        torch.stack([conditions[name] for name in branch.inputs]),
        make_latent(branch.diffused.what, branch.diffused.scale, conditions),
        shared,
        make_latent(shared.what, shared.scale, conditions),
        slice_batch,
        tick,
    )
