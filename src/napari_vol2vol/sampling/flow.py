"""Flows: deterministic paths from a source volume to its translation, and solvers that follow them.

Medical Flow Matching joins paired volumes by straight lines, ``x_t = (1 - t) x_0 + t x_1`` (eq. 4), and
learns the velocity ``f(x_t, t) = x_1 - x_0``. Here a run always goes from t = 1, the source, to t = 0, the
result, as those of the diffusion samplers do; `reversed_in_time` turns a velocity for the other direction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from napari_vol2vol.sampling.samplers import Noise, Sampler, Step
from napari_vol2vol.sampling.schedules import Schedule

#: ``velocity(x_t, t) -> dx/dt``, both `(D, H, W)`, t in [0, 1].
Velocity = Callable[[Tensor, float], Tensor]


def linear_path(t: Tensor) -> tuple[Tensor, Tensor]:
    """Return the shares (1 - t, t) of result and source in ``x_t``: the flow's `Schedule`."""
    return 1 - t, t


def reversed_in_time(velocity: Velocity) -> Velocity:
    """Return the velocity of the same flow run the other way: its t = 1 is the former t = 0."""
    return lambda x, t: -velocity(x, 1 - t)


@dataclass(frozen=True)
class Tableau:
    """An explicit Runge-Kutta method (Butcher): ``nodes`` c, ``stages`` a, ``weights`` b."""

    order: int
    nodes: Sequence[float]
    stages: Sequence[Sequence[float]]
    weights: Sequence[float]

    @property
    def calls(self) -> int:
        """Network calls a step."""
        return len(self.weights)


TABLEAUS = {
    "euler": Tableau(1, (0.0,), ((),), (1.0,)),
    "midpoint": Tableau(2, (0.0, 0.5), ((), (0.5,)), (0.0, 1.0)),
    "rk2": Tableau(2, (0.0, 1.0), ((), (1.0,)), (0.5, 0.5)),
    "rk3": Tableau(3, (0.0, 0.5, 1.0), ((), (0.5,), (-1.0, 2.0)), (1 / 6, 2 / 3, 1 / 6)),
    "rk4": Tableau(
        4, (0.0, 0.5, 0.5, 1.0), ((), (0.5,), (0.0, 0.5), (0.0, 0.0, 1.0)), (1 / 6, 1 / 3, 1 / 3, 1 / 6)
    ),
}


def slope(velocity: Velocity, x: Tensor, t: float, t_next: float, tableau: Tableau) -> Tensor:
    """Return the mean velocity from t to t_next: ``x + (t_next - t) slope`` is the method's step."""
    h = t_next - t
    found: list[Tensor] = []
    for node, stage in zip(tableau.nodes, tableau.stages, strict=True):
        found.append(velocity(_plus(x, [h * a for a in stage], found), t + h * node))
    (first, k), *others = ((b, k) for b, k in zip(tableau.weights, found, strict=True) if b)
    mean = first * k
    for b, k in others:
        mean.add_(k, alpha=b)
    return mean


def _plus(x: Tensor, shares: Sequence[float], velocities: Sequence[Tensor]) -> Tensor:
    """Return x moved by shares of velocities; x itself where there is nothing to move by."""
    moved = x
    for share, velocity in zip(shares, velocities, strict=True):
        if share:
            moved = torch.add(moved, velocity, alpha=share)
    return moved


def runge_kutta(tableau: Tableau) -> Sampler:
    """Return the solver of a tableau.

    Its x̂0 is the straight line from x_t on to t = 0 along the slope of the step under way; in the last step
    that is where the method ends.
    """

    def solve(
        velocity: Velocity, x: Tensor, times: Tensor, schedule: Schedule, noise: Noise, *, eta: float = 0.0
    ) -> Iterator[Step]:
        del schedule, noise, eta
        for t, t_next in pairwise(times.tolist()):
            mean = slope(velocity, x, t, t_next, tableau)
            yield Step(t, x, torch.sub(x, mean, alpha=t))
            x = torch.add(x, mean, alpha=t_next - t)

    return solve


def adams(
    velocity: Velocity, x: Tensor, times: Tensor, schedule: Schedule, noise: Noise, *, eta: float = 0.0
) -> Iterator[Step]:
    """Adams-Bashforth with two steps: second order with one call a step, after a first step of RK2."""
    del schedule, noise, eta
    before: tuple[float, Tensor] | None = None
    for t, t_next in pairwise(times.tolist()):
        here = velocity(x, t)
        if before is None:
            ahead = velocity(x + (t_next - t) * here, t_next)
            mean = (here + ahead) / 2
        else:
            t_before, there = before
            mean = here + (t_next - t) / (t - t_before) / 2 * (here - there)
        yield Step(t, x, x - t * mean)
        x, before = x + (t_next - t) * mean, (t, here)


FLOW_SAMPLERS: dict[str, Sampler] = {
    **{name: runge_kutta(tableau) for name, tableau in TABLEAUS.items()},
    "adams": adams,
}


def network_calls(solver: str, steps: int) -> int:
    """Return how often a solver asks for the velocity in a run."""
    return steps + 1 if solver == "adams" else steps * TABLEAUS[solver].calls


__all__ = [
    "FLOW_SAMPLERS", "TABLEAUS", "Tableau", "Velocity", "adams", "linear_path", "network_calls",
    "reversed_in_time", "runge_kutta", "slope",
]  # fmt: skip
