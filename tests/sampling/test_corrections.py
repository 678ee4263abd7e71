import pytest
import torch

from napari_vol2vol.physics.admm_tv import AdmmTV
from napari_vol2vol.physics.noise import measured
from napari_vol2vol.sampling.corrections import (
    NullSpace,
    Proximal,
    TotalVariationAlongZ,
    white_posterior_gamma,
)
from napari_vol2vol.sampling.schedules import make_schedule
from physics.imaging_operators import IMAGING_OPERATORS
from sampling.linear_posteriors import dense_normal, white_posterior

KINDS = ["parallel beam", "2D Fourier, real", "2D Fourier, a mask a slice, odd sizes", "coils, complex",
         "3D Fourier, complex"]  # fmt: skip


@pytest.fixture(params=KINDS)
def case(request):
    operator, shape = IMAGING_OPERATORS[request.param]
    g = torch.Generator().manual_seed(3)
    truth, x0_hat = (torch.randn(shape, generator=g, dtype=torch.float64) for _ in range(2))
    return operator, measured(operator, truth, 0.1), x0_hat


def test_the_converged_proximal_point_is_the_closed_form(case):
    operator, y, x0_hat = case
    normal = dense_normal(operator, tuple(x0_hat.shape))
    right = operator.adjoint(y).reshape(-1) + 0.3 * x0_hat.reshape(-1)
    exact = torch.linalg.solve(normal + 0.3 * torch.eye(len(normal), dtype=torch.float64), right)
    found = Proximal(operator, y, 0.3, steps=60, tolerance=1e-10)(x0_hat, 0.5)
    assert torch.allclose(found.reshape(-1), exact, atol=1e-7)


def test_with_the_gamma_of_a_white_prior_it_is_the_posterior_mean_given_x_t(case):
    operator, y, x_t = case
    schedule, sigma, t, v = make_schedule("vp_cosine"), 0.2, 0.4, 0.7
    alpha, noise = (float(c) for c in schedule(torch.tensor(t, dtype=torch.float64)))
    # given x_t the prior is white again: N(alpha v x_t / total, v noise^2 / total)
    total = alpha**2 * v + noise**2
    x0_hat = alpha * v * x_t / total
    exact, _ = white_posterior(operator, y, sigma, x0_hat, v * noise**2 / total)
    gamma = white_posterior_gamma(schedule, sigma, v)
    assert torch.allclose(Proximal(operator, y, gamma, 200, 1e-11)(x0_hat, t), exact, atol=1e-7)


def test_a_step_of_cg_is_steepest_descent_from_the_estimate(case):
    operator, y, x0_hat = case
    gradient = operator.adjoint(y - operator(x0_hat))
    axes = operator.system_axes
    curvature = (gradient * operator.normal(gradient)).sum(axes, keepdim=True)
    step = gradient.square().sum(axes, keepdim=True) / curvature
    assert torch.allclose(Proximal(operator, y, steps=1)(x0_hat, 0.5), x0_hat + step * gradient)


def test_null_space_projection_honours_the_measurement_and_nothing_else(case):
    operator, _, x0_hat = case
    y = operator(torch.randn_like(x0_hat))
    found = NullSpace(operator, y)(x0_hat, 0.5)
    assert torch.allclose(operator(found), y, atol=1e-5)
    change = found - x0_hat
    assert torch.allclose(operator.pseudo_inverse(operator(change)), change, atol=1e-3)


@pytest.mark.parametrize("make", [NullSpace, Proximal])
def test_batches_of_slices_change_nothing(case, make):
    operator, y, x0_hat = case
    whole, pieces = make(operator, y, slice_batch=99), make(operator, y, slice_batch=2)
    assert torch.allclose(whole(x0_hat, 0.5), pieces(x0_hat, 0.5), atol=1e-7)


@pytest.mark.parametrize("make", [NullSpace, Proximal])
def test_some_slices_are_corrected_as_they_are_in_the_volume(case, make):
    operator, y, x0_hat = case
    if -3 in operator.system_axes:
        pytest.skip("mixes slices")
    correction, index = make(operator, y), torch.tensor([2, 0])
    part = correction.at_slices(index)
    assert torch.equal(part.y, y[..., index, :, :])
    expected = correction(x0_hat, 0.5)[..., index, :, :]
    assert torch.allclose(part(x0_hat[..., index, :, :], 0.5), expected, atol=1e-7)


@pytest.mark.parametrize("make", [
    lambda o, y: NullSpace(o, y), lambda o, y: Proximal(o, y, 0.1, 3),
    lambda o, y: TotalVariationAlongZ(o, y, AdmmTV(0.02, 0.3, (-3,), 2, 2)),
])  # fmt: skip
def test_they_are_differentiable_inside_a_run_without_gradients(make):
    operator, shape = IMAGING_OPERATORS["parallel beam"]
    y = operator(torch.randn(shape, dtype=torch.float64))
    with torch.inference_mode():
        correction = make(operator, y)
        outside = correction(torch.randn(shape, dtype=torch.float64), 0.7)
        with torch.inference_mode(False), torch.enable_grad():
            x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
            part = correction.at_slices(torch.arange(3))
            (part(x, 0.5) * torch.randn_like(x)).sum().backward()
    assert outside.is_inference()
    assert x.grad.abs().max() > 0.01


BEAM, SHAPE = IMAGING_OPERATORS["parallel beam"]


def tv(weight=0.05, **settings):
    truth = torch.randn(SHAPE, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    solver = AdmmTV(weight, 0.2, (-3,), **({"steps": 3, "cg_steps": 3} | settings))
    return TotalVariationAlongZ(BEAM, BEAM(truth), solver), truth


def test_mbir_goes_on_from_step_to_step_as_one_long_solve():
    correction, _ = tv()
    x = torch.zeros(SHAPE, dtype=torch.float64)
    twice = correction(correction(x, 0.9), 0.8)
    once = tv(steps=6)[0](x, 0.9)
    assert torch.allclose(twice, once)


def test_mbir_forgets_the_last_sample_when_another_begins():
    correction, _ = tv()
    x = torch.zeros(SHAPE, dtype=torch.float64)
    first = correction(x, 0.9)
    assert not torch.allclose(correction(x, 0.8), first)
    assert torch.equal(correction(x, 0.9), first)


def test_mbir_without_weight_is_the_null_space_projection():
    operator, shape = IMAGING_OPERATORS["2D Fourier, real"]
    x, y = torch.randn(shape, dtype=torch.float64), operator(torch.randn(shape, dtype=torch.float64))
    correction = TotalVariationAlongZ(operator, y, AdmmTV(0.0, 0.1, (-3,), 60, 5))
    assert torch.allclose(correction(x, 0.5), NullSpace(operator, y)(x, 0.5), atol=1e-6)


def test_mbir_smooths_along_z():
    rough, _ = tv(0.0, steps=20)
    smooth, _ = tv(0.5, steps=20)
    x = torch.zeros(SHAPE, dtype=torch.float64)
    assert smooth(x, 0.5).diff(dim=0).abs().sum() < 0.5 * rough(x, 0.5).diff(dim=0).abs().sum()


def test_the_loss_of_mbir_sees_neighbours_from_the_multiplier_between_them():
    correction, _ = tv()
    x = torch.zeros(SHAPE, dtype=torch.float64)
    correction(x, 0.9)
    before = correction.multiplier
    part = correction.at_slices(torch.arange(1, 3))
    assert torch.equal(part.multiplier[:, :1], before[:, 1:2])
    assert not part.multiplier[:, -1].any()
    part(x[1:3], 0.8)
    assert correction.multiplier is before
    correction.loss_steps = 1
    assert correction.at_slices(slice(0, 2)).solver.steps == 1


def test_the_multiplier_of_the_bound_belongs_to_the_last_slice_as_to_any():
    correction, _ = tv(nonnegative=True)
    correction(torch.zeros(SHAPE, dtype=torch.float64), 0.9)
    part = correction.at_slices(torch.arange(1, 3))
    assert not part.multiplier[0, -1].any()
    assert part.multiplier[1].any()
    assert torch.equal(part.multiplier[1], correction.multiplier[1, 1:3])
