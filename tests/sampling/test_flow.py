import math

import pytest
import torch

from napari_vol2vol.sampling.flow import (
    FLOW_SAMPLERS,
    TABLEAUS,
    linear_path,
    network_calls,
    reversed_in_time,
)
from napari_vol2vol.sampling.schedules import timesteps

ORDERS = {**{name: tableau.order for name, tableau in TABLEAUS.items()}, "adams": 2}


def curved(x, t):
    """dx/dt = x exp(t): x(t) = x(1) exp(exp(t) - e)."""
    return x * math.exp(t)


def end_of(solver, steps, velocity=curved, x=None):
    x = torch.ones(1, 1, 1, dtype=torch.float64) if x is None else x
    times = timesteps(steps).double()
    *_, last = FLOW_SAMPLERS[solver](velocity, x, times, linear_path, lambda i: x)
    return last.x0_hat


@pytest.mark.parametrize("solver", FLOW_SAMPLERS)
def test_the_error_falls_with_the_order_of_the_solver(solver):
    truth = math.exp(1 - math.e)
    coarse, fine = (abs(float(end_of(solver, n)) - truth) for n in (16, 32))
    assert math.log2(coarse / fine) == pytest.approx(ORDERS[solver], abs=0.35)


@pytest.mark.parametrize("solver", FLOW_SAMPLERS)
@pytest.mark.parametrize("steps", [1, 3])
def test_straight_paths_are_followed_exactly_in_any_number_of_steps(solver, steps):
    native, contrast = torch.randn(2, 3, 4, 5, dtype=torch.float64)
    end = end_of(solver, steps, lambda x, t: contrast - native, contrast)
    torch.testing.assert_close(end, native)


@pytest.mark.parametrize("solver", FLOW_SAMPLERS)
@pytest.mark.parametrize("steps", [1, 2, 5])
def test_the_number_of_network_calls_is_the_stated_one(solver, steps):
    calls = []

    def counted(x, t):
        calls.append(t)
        return curved(x, t)

    end_of(solver, steps, counted)
    assert len(calls) == network_calls(solver, steps)
    assert all(-1e-12 <= t <= 1 for t in calls)


def test_a_velocity_turned_round_leads_back_to_the_start():
    there = end_of("rk4", 20)
    back = end_of("rk4", 20, reversed_in_time(curved), there)
    torch.testing.assert_close(back, torch.ones_like(back), rtol=0, atol=1e-6)


def test_every_step_shows_the_straight_line_to_the_end():
    times = timesteps(4).double()
    x = torch.ones(1, 1, 1, dtype=torch.float64)
    steps = list(FLOW_SAMPLERS["euler"](curved, x, times, linear_path, lambda i: x))
    assert [step.t for step in steps] == times.tolist()[:-1]
    for step in steps:
        torch.testing.assert_close(step.x0_hat, step.x_t - step.t * curved(step.x_t, step.t))
