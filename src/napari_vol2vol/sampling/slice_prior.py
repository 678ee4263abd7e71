"""An unconditional 2D network as the denoiser of a stack of slices, with or without gradients."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.sampling.branches import Diffused
from napari_vol2vol.sampling.gradients import SLICES, by_slices, take
from napari_vol2vol.sampling.planes import PLANES, Plane, Tick, no_tick
from napari_vol2vol.sampling.predictions import to_x0

#: The symmetries of a square: four quarters, mirrored or not.
TURNS = 8


@dataclass(frozen=True, eq=False)
class SlicePrior:
    """``prior(x_t, t) -> x0_hat`` for `(D, H, W)`, or `(2, D, H, W)` with real and imaginary channels.

    Slices lie along axis -3 whatever their anatomical plane; each is denoised on its own.

    Parameters
    ----------
    network : nn.Module
        Called as ``network(x, t, label)`` with x `(N, channels, H, W)`, returning ``(output, features)``.
    channels : int
        1 for real images, 2 for complex ones.
    plane : Plane
        Label for networks that serve several planes.
    slice_batch : int
        Slices a call, when no gradients are recorded; with gradients all slices go at once.
    turning : bool
        Show the network all slices mirrored and turned by quarters, otherwise at each time, and turn its
        estimate back (equivariant plug-and-play, Terris et al. 2024). For priors without a direction: a
        network has learnt that only nearly, and its own errors then differ from step to step.
    """

    network: nn.Module
    diffused: Diffused
    channels: int = 1
    plane: Plane = "axial"
    slice_batch: int = 16
    tick: Tick = no_tick
    turning: bool = False

    def __post_init__(self) -> None:
        if self.channels not in (1, 2):
            raise SettingsError(f"channels: found {self.channels}, accepted are 1 (real) and 2 (complex)")

    def __call__(self, x_t: Tensor, t: float) -> Tensor:
        """Return x̂0.

        Raises
        ------
        SettingsError
            If the image has not the channels of the prior.
        """
        found = x_t.shape[0] if x_t.ndim == 4 else 1
        if x_t.ndim not in (3, 4) or found != self.channels or (x_t.ndim == 4) != (self.channels == 2):
            raise SettingsError(
                f"image: found shape {tuple(x_t.shape)}, accepted by a prior of {self.channels} channels is "
                + ("(D, H, W)" if self.channels == 1 else "(2, D, H, W)")
            )
        batch = x_t.shape[SLICES] if torch.is_grad_enabled() else self.slice_batch
        turn = turn_at(t) if self.turning else 0

        def denoise(part: slice) -> Tensor:
            return turned_back(self._denoise(turned(take(x_t, part), turn), t), turn)

        return by_slices(denoise, x_t, batch)

    def _denoise(self, x_t: Tensor, t: float) -> Tensor:
        self.tick()
        slices = x_t[:, None] if self.channels == 1 else x_t.movedim(0, 1)
        count = len(slices)
        times = torch.full((count,), t, device=x_t.device, dtype=torch.float32)
        label = torch.full((count,), PLANES.index(self.plane), device=x_t.device, dtype=torch.int64)
        output, _ = self.network(slices.contiguous(memory_format=torch.channels_last), times, label)
        output = output.float() if x_t.dtype == torch.float32 else output.to(x_t.dtype)
        stack = output[:, 0] if self.channels == 1 else output.movedim(1, 0)
        return to_x0(self.diffused.prediction, stack, x_t, *self.diffused.coefficients(t, x_t))


def turn_at(t: float) -> int:
    """Return the `turned` of a time: drawn, but always the same, so that a run can be repeated."""
    return int(torch.randint(TURNS, (1,), generator=torch.Generator().manual_seed(round(t * 1e6))))


def turned(x: Tensor, turn: int) -> Tensor:
    """Return slices `(..., H, W)` turned by ``turn % 4`` quarters, from 4 on after they were mirrored."""
    return torch.rot90(x.flip(-1) if turn >= 4 else x, turn % 4, (-2, -1))


def turned_back(x: Tensor, turn: int) -> Tensor:
    """Invert `turned`."""
    x = torch.rot90(x, -(turn % 4), (-2, -1))
    return x.flip(-1) if turn >= 4 else x
