import pytest
import torch

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.physics.admm_tv import AdmmTV
from napari_vol2vol.physics.parallel_beam import ParallelBeam
from napari_vol2vol.physics.total_variation import differences_adjoint, total_variation


class Identity:
    """A x = x."""

    def __call__(self, x):
        return x

    adjoint = pseudo_inverse = __call__


BEAM = ParallelBeam((8, 8), tuple(18.0 * i for i in range(10)))


def objective(operator, x, y, weight, axes):
    return (operator(x) - y).square().sum() / 2 + weight * total_variation(x, axes)


def test_denoising_along_z_is_the_known_solution():
    y = torch.tensor([0.0, 0.0, 6.0, 6.0], dtype=torch.float64)[:, None, None]
    x, _ = AdmmTV(1.0, 1.0, (-3,), steps=300).solve(Identity(), y, y)
    assert torch.allclose(x.flatten(), torch.tensor([0.5, 0.5, 5.5, 5.5]).double(), atol=1e-6)


@pytest.mark.parametrize("axes", [(-3,), (-3, -2, -1)])
def test_the_end_satisfies_the_optimality_conditions(axes):
    truth = torch.zeros(5, 8, 8, dtype=torch.float64)
    truth[1:3, 2:6, 2:7] = 1
    y, weight, penalty = BEAM(truth), 0.02, 0.1
    x, multiplier = AdmmTV(weight, penalty, axes, 250, 12).solve(
        BEAM, BEAM.adjoint(y), torch.zeros_like(truth)
    )
    # A^T (A x - y) + D^T p = 0 with p a subgradient of the weighted norm, |p| <= weight
    p = penalty * multiplier
    stationary = BEAM.adjoint(BEAM(x) - y) + differences_adjoint(p, axes)
    assert stationary.abs().max() < 1e-5
    assert p.square().sum(0).sqrt().max() <= weight * (1 + 1e-4)


def test_the_end_under_a_bound_satisfies_the_optimality_conditions():
    truth = torch.zeros(5, 8, 8, dtype=torch.float64)
    truth[1:3, 2:6, 2:7] = 1
    noise = torch.randn(truth.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    y, weight, penalty, axes = BEAM(truth + 0.1 * noise), 0.002, 0.03, (-3,)
    start = torch.zeros_like(truth)
    free, _ = AdmmTV(weight, penalty, axes, 400, 12).solve(BEAM, BEAM.adjoint(y), start)
    x, multiplier = AdmmTV(weight, penalty, axes, 400, 12, nonnegative=True).solve(
        BEAM, BEAM.adjoint(y), start
    )
    assert free.min() < -0.05  # the bound has something to do
    assert x.min() == 0
    p, bound = penalty * multiplier[:1], penalty * multiplier[1]
    stationary = BEAM.adjoint(BEAM(x) - y) + differences_adjoint(p, axes) + bound
    assert stationary.abs().max() < 1e-4
    assert p.abs().max() <= weight * 1.01
    assert bound.max() < 1e-4  # it pushes up, and only where the image is 0
    assert (bound * x).abs().max() < 1e-5


def test_an_image_broken_off_early_is_not_negative_either():
    y = torch.tensor([-1.0, 2.0, -3.0], dtype=torch.float64)[:, None, None]
    x, _ = AdmmTV(0.1, 1.0, (-3,), steps=1, nonnegative=True).solve(Identity(), y, y)
    assert x.min() == 0


def test_no_perturbation_lowers_the_objective():
    y, axes = torch.randn(6, 8, 8, dtype=torch.float64), (-3, -2, -1)
    x, _ = AdmmTV(0.3, 0.5, axes, 400, 20).solve(Identity(), y, y)
    best = objective(Identity(), x, y, 0.3, axes)
    for scale in (1e-1, 1e-3):
        assert objective(Identity(), x + scale * torch.randn_like(x), y, 0.3, axes) > best
    assert objective(Identity(), y, y, 0.3, axes) > best


def test_without_weight_it_is_least_squares():
    x = torch.randn(3, 8, 8, dtype=torch.float64)
    y = BEAM(x)
    found, _ = AdmmTV(0.0, 1e-3, steps=50, cg_steps=20).solve(BEAM, BEAM.adjoint(y), torch.zeros_like(x))
    assert (BEAM(found) - y).norm() < 1e-2 * y.norm()


def test_the_ends_along_z_do_not_touch():
    y = torch.zeros(6, 2, 2, dtype=torch.float64)
    y[:3] = 1
    x, _ = AdmmTV(0.3, 1.0, (-3,), steps=300).solve(Identity(), y, y)
    assert torch.allclose(x[:3], torch.tensor(0.9).double(), atol=1e-6)  # wrapping would halve the way: 0.8
    assert torch.allclose(x[3:], torch.tensor(0.1).double(), atol=1e-6)


def test_a_warm_start_goes_on_where_the_last_call_ended():
    y = torch.randn(6, 8, 8, dtype=torch.float64)
    b, zero = BEAM.adjoint(BEAM(y)), torch.zeros_like(y)
    once, _ = AdmmTV(0.05, 0.2, steps=8).solve(BEAM, b, zero)
    x, multiplier = AdmmTV(0.05, 0.2, steps=4).solve(BEAM, b, zero)
    twice, _ = AdmmTV(0.05, 0.2, steps=4).solve(BEAM, b, x, multiplier)
    assert torch.allclose(once, twice)


def test_complex_images_have_one_system():
    from physics.imaging_operators import IMAGING_OPERATORS

    operator, shape = IMAGING_OPERATORS["coils, complex"]
    y = operator(torch.randn(shape))
    x, multiplier = AdmmTV(0.01, 0.2, (-3,), 20, 5).solve(operator, operator.adjoint(y), torch.zeros(shape))
    assert x.shape == shape
    assert multiplier.shape == (1, *shape)
    assert (operator(x) - y).norm() < 0.2 * y.norm()


def test_a_pull_towards_the_start_is_that_of_ridge_regression():
    torch.manual_seed(3)
    start, y = (
        torch.randn(3, 8, 8).double(),
        torch.randn(3, 10, BEAM(torch.zeros(1, 8, 8)).shape[-1]).double(),
    )
    b = BEAM.adjoint(y)
    x, _ = AdmmTV(0.0, 1e-9, (-3,), steps=2, cg_steps=80).solve(BEAM, b, start, pull=0.3)
    gradient = BEAM.adjoint(BEAM(x) - y) + 0.3 * (x - start)
    assert float(gradient.abs().max()) < 1e-6


def test_a_negative_weight_is_refused():
    with pytest.raises(SettingsError, match=r"weight, penalty: found -1, 0"):
        AdmmTV(-1, 0)
