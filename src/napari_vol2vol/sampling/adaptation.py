"""Priors that adapt to the measurement while sampling: SCD, DDIP, D3IP and its meta-learned start.

DDIP is Chung and Ye (2024), SCD Barbano et al. (2023). Each adaptation is a `Denoiser`: it optimises the
low-rank weights on ``|y - A D(x_t | y)|^2`` (eq. 11), then returns what the network says with them. Put into
`Corrected`, that is a whole system::

    weights = LowRankWeights(network)
    prior = SlicePrior(network, ...)
    denoiser = Corrected(VolumeAdaptation(prior, correction, weights), correction)
    sampler = adapting(from_estimate(dds_ddim, pinv), weights)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.sampling.corrections import Correction
from napari_vol2vol.sampling.gradients import SLICES, gradients, take, whole
from napari_vol2vol.sampling.low_rank import LowRankWeights, State
from napari_vol2vol.sampling.planes import Tick, no_tick
from napari_vol2vol.sampling.samplers import Denoiser, Noise, Sampler, Step
from napari_vol2vol.sampling.schedules import Schedule


@dataclass(frozen=True)
class AdaptationSettings:
    """How the weights are optimised at each sampling step.

    Parameters
    ----------
    learning_rate, weight_decay : float
        Of AdamW, which begins anew at each step, as in the authors' code.
    iterations : int
        Optimiser steps a sampling step.
    slices : int
        K: slices drawn for each optimiser step of `VolumeAdaptation` (6 in the paper, 3 for several coils).
    horizon : float
        zeta: weights are optimised for t in [horizon, 1 - horizon] only (40 of 1000).
    release : float
        Below this time the prior is its bundle's own again; 0 keeps what it has become, as in the paper.
    seed : int
        Of the slices that are drawn.
    """

    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    iterations: int = 10
    slices: int = 6
    horizon: float = 0.04
    release: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.iterations < 1 or self.slices < 1:
            raise SettingsError(
                f"iterations, slices: found {self.iterations}, {self.slices}, accepted are 1 or more"
            )
        if not self.learning_rate > 0 or not 0 <= self.horizon < 0.5:
            raise SettingsError(
                f"learning_rate, horizon: found {self.learning_rate}, {self.horizon}, accepted are a rate "
                "above 0 and a horizon from 0 to below 0.5"
            )
        if not 0 <= self.release <= 1:
            raise SettingsError(f"release: found {self.release}, accepted are times from 0 to 1")

    def within(self, t: float) -> bool:
        """Whether weights are optimised at time t."""
        slack = 1e-9  # times like 0.96 are not exact
        return max(self.horizon, self.release) - slack <= t <= 1 - self.horizon + slack


def fidelity(prior: Denoiser, correction: Correction, x_t: Tensor, t: float) -> Tensor:
    """Return ``1/K sum_i |y_i - A D(x_t,i | y_i)|^2`` over the K slices of ``x_t`` (eq. 13)."""
    estimate = correction(prior(x_t, t), t)
    residual = correction.operator(estimate) - whole(correction.y)
    return residual.abs().square().sum() / x_t.shape[SLICES]


class _Adaptation:
    """What both adaptations share; a sampling run begins where t does not fall."""

    def __init__(
        self,
        prior: Denoiser,
        correction: Correction,
        weights: LowRankWeights,
        settings: AdaptationSettings | None = None,
        *,
        tick: Tick = no_tick,
    ) -> None:
        self.prior, self.correction, self.weights, self.tick = prior, correction, weights, tick
        self.settings = settings or AdaptationSettings()
        self.last_loss: float | None = None
        self._last_t = float("inf")

    def _begins(self, t: float) -> bool:
        begins, self._last_t = t >= self._last_t or self._last_t == float("inf"), t
        return begins

    def _released(self, x_t: Tensor, t: float) -> Tensor:
        """Return what the bundle's own prior says, and put the weights back as they were."""
        adapted = self.weights.state()
        self.weights.reset()
        try:
            return self.prior(x_t, t)
        finally:
            self.weights.load(adapted)

    def _optimise(self, x_t: Tensor, t: float, draw: Callable[[], Tensor | slice]) -> None:
        """Take the optimiser's steps, each on the slices that ``draw`` returns."""
        settings = self.settings
        with gradients():
            optimiser = torch.optim.AdamW(
                self.weights.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
            )
            for _ in range(settings.iterations):
                self.tick()
                index = draw()
                loss = fidelity(self.prior, self.correction.at_slices(index), take(x_t, index).clone(), t)
                optimiser.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
                optimiser.step()
                self.last_loss = float(loss.detach())
            optimiser.zero_grad(set_to_none=True)


class VolumeAdaptation(_Adaptation):
    """D3IP (algorithm 2): one set of weights for the volume, from K of its slices a step.

    Memory and the time of the optimisation do not depend on the number of slices.

    Parameters
    ----------
    prior : Denoiser
        Of the network that ``weights`` changes; differentiable, and working slice by slice.
    correction : Correction
        Inside the loss: as a rule that of the sampling itself.
    neighbours : bool
        Draw K neighbouring slices instead of any (eq. 15), as corrections need that couple slices.
    meta : (float, float), optional
        Reptile (Nichol et al. 2018; DDIP, eq. 30): at each step the weights go only a share of the way, from
        the first value at t = 1 down to the second at t = 0. (1, 0.5) in the paper.
    rest : callable
        Called before and after the optimisation, whose working memory is the most that a run needs.
    """

    def __init__(
        self,
        prior: Denoiser,
        correction: Correction,
        weights: LowRankWeights,
        settings: AdaptationSettings | None = None,
        *,
        neighbours: bool = False,
        meta: tuple[float, float] | None = None,
        tick: Tick = no_tick,
        rest: Tick = no_tick,
    ) -> None:
        super().__init__(prior, correction, weights, settings, tick=tick)
        self.neighbours, self.meta, self.rest = neighbours, meta, rest
        self._generator = torch.Generator()

    def __call__(self, x_t: Tensor, t: float) -> Tensor:
        """Adapt, and return the x̂0 of all slices."""
        if self._begins(t):
            self.weights.reset()
            self._generator.manual_seed(self.settings.seed)
        if self.settings.within(t):
            before = self.weights.state() if self.meta is not None else None
            self.rest()
            self._optimise(x_t, t, lambda: self.draw(x_t.shape[SLICES]))
            self.rest()
            if before is not None:
                self._step_back(before, t)
        return self._released(x_t, t) if t < self.settings.release else self.prior(x_t, t)

    def draw(self, depth: int) -> Tensor:
        """Return the slices of one optimiser step (all, where there are no more than K)."""
        count = min(self.settings.slices, depth)
        if self.neighbours:
            first = int(torch.randint(depth - count + 1, (1,), generator=self._generator))
            return torch.arange(first, first + count)
        return torch.randperm(depth, generator=self._generator)[:count]

    def _step_back(self, before: State, t: float) -> None:
        assert self.meta is not None
        share = self.meta[1] + (self.meta[0] - self.meta[1]) * t
        after = self.weights.state()
        self.weights.load([torch.lerp(a, b, share) for a, b in zip(before, after, strict=True)])


class SliceAdaptation(_Adaptation):
    """SCD and DDIP (algorithm 1): weights of its own for every slice, carried from step to step.

    With a `Proximal` of one step in ``correction`` it is SCD, with the one of the sampling DDIP. Memory grows
    with the slices by one set of low-rank weights each, kept on the CPU.

    Parameters
    ----------
    correction : Correction
        Inside the loss.
    from_current : bool
        Start every slice from the weights as they are when a run begins, instead of from no change: the
        fine-tuning of D3IP-meta.
    """

    def __init__(
        self,
        prior: Denoiser,
        correction: Correction,
        weights: LowRankWeights,
        settings: AdaptationSettings | None = None,
        *,
        from_current: bool = False,
        tick: Tick = no_tick,
    ) -> None:
        super().__init__(prior, correction, weights, settings, tick=tick)
        self.from_current = from_current
        self._states: list[State] = []

    def __call__(self, x_t: Tensor, t: float) -> Tensor:
        """Adapt slice by slice, and return the x̂0 of each with its own weights."""
        if self._begins(t):
            if not self.from_current:
                self.weights.reset()
            start = [value.cpu() for value in self.weights.state()]
            self._states = [start] * x_t.shape[SLICES]
        if t < self.settings.release:
            return self._released(x_t, t)
        out = torch.empty_like(x_t)
        for i, state in enumerate(self._states):
            one = slice(i, i + 1)
            self.weights.load(state)
            if self.settings.within(t):
                self._optimise(x_t, t, lambda one=one: one)  # type: ignore[misc]
                self._states[i] = [value.cpu() for value in self.weights.state()]
            out[..., one, :, :] = self.prior(take(x_t, one), t)
        return out


def adapting(sampler: Sampler, weights: LowRankWeights) -> Sampler:
    """Return the sampler that changes the weights while it runs and restores them when it ends.

    It ends with its last step, with an error or cancel raised inside it, or when it is closed. Who breaks off
    between two steps must close it (``contextlib.closing``).
    """

    def run(
        denoiser: Denoiser, x: Tensor, times: Tensor, schedule: Schedule, noise: Noise, *, eta: float = 0.85
    ) -> Iterator[Step]:
        steps = sampler(denoiser, x, times, schedule, noise, eta=eta)
        del x  # this frame lives as long as the run
        with weights:
            yield from steps

    return run


def one_after_the_other(sampler: Sampler, denoisers: Sequence[Denoiser]) -> Sampler:
    """Return the sampler that runs once with each denoiser, from the same noise: D3IP, then its fine-tuning.

    It yields all steps of all runs and does not use the denoiser that it is called with.
    """

    def run(
        denoiser: Denoiser, x: Tensor, times: Tensor, schedule: Schedule, noise: Noise, *, eta: float = 0.85
    ) -> Iterator[Step]:
        del denoiser
        for each in denoisers:
            yield from sampler(each, x, times, schedule, noise, eta=eta)

    return run
