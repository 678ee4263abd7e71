from math import prod

import pytest
import torch
from torch.nn import functional as F

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.physics import BlockAverage, Operator, smooth_inverse
from napari_vol2vol.physics.coil_sampling import CoilSampling
from physics.imaging_operators import IMAGING_OPERATORS

OPERATORS = {
    f"block average {factor}": (BlockAverage(factor), (8, 8, 16))
    for factor in [(2, 2, 2), (4, 4, 4), (8, 8, 8), (1, 1, 4), (2, 4, 8)]
} | IMAGING_OPERATORS


def inner(a, b):
    """The real inner product, of complex measurements too."""
    return torch.vdot(b.flatten(), a.flatten()).real


@pytest.fixture(params=list(OPERATORS))
def case(request):
    return OPERATORS[request.param]


def test_adjoint_passes_the_dot_product_test(case):
    operator, shape = case
    x = torch.randn(shape)
    y = torch.randn_like(operator(x))
    left, right = inner(operator(x), y), inner(x, operator.adjoint(y))
    assert abs(left - right) < 1e-5 * operator(x).norm() * y.norm()


def test_the_norm_is_one(case):
    operator, shape = case
    unit = torch.eye(prod(shape), dtype=torch.float64).reshape(-1, *shape)
    matrix = operator.adjoint(operator(unit)).reshape(len(unit), -1)
    tolerance = 1e-4 if isinstance(operator, CoilSampling) else 1e-6  # their largest eigenvalues lie close
    assert float(torch.linalg.eigvalsh(matrix)[-1]) ** 0.5 == pytest.approx(1, abs=tolerance)


def test_the_pseudo_inverse_is_exact(case):
    operator, shape = case
    x = torch.randn(shape, dtype=torch.float64)
    y = operator(x)
    again = operator.pseudo_inverse(y)
    assert torch.allclose(operator(again), y, atol=1e-6)
    assert torch.allclose(operator.pseudo_inverse(operator(again)), again, atol=1e-5)


def test_every_operator_keeps_the_contract(case):
    assert isinstance(case[0], Operator)


def test_block_average_is_the_plain_mean_up_to_its_gain():
    x = torch.randn(1, 1, 8, 8, 8)
    operator = BlockAverage((4, 2, 2))
    assert torch.allclose(operator(x[0, 0]) / operator.gain, F.avg_pool3d(x, (4, 2, 2))[0, 0], atol=1e-6)


def test_a_size_that_does_not_divide_and_a_factor_below_one_are_refused():
    with pytest.raises(SettingsError, match=r"\(9, 8, 8\).*divisible by \(4, 4, 4\)"):
        BlockAverage((4, 4, 4))(torch.zeros(9, 8, 8))
    with pytest.raises(SettingsError, match="factor"):
        BlockAverage((0, 1, 1))


@pytest.mark.parametrize("factor", [(4, 4, 4), (2, 1, 8)])
def test_the_smooth_inverse_honours_the_block_means_exactly(factor):
    low = torch.rand(6, 5, 7)
    operator = BlockAverage(factor)
    means = operator(smooth_inverse(low, factor)) / operator.gain
    assert torch.allclose(means, low, atol=2e-6)


def test_the_smooth_inverse_has_less_gradient_than_any_other_volume_with_those_means():
    low = torch.rand(1, 1, 6, dtype=torch.float64)
    operator = BlockAverage((1, 1, 4))
    best = smooth_inverse(low, (1, 1, 4)).double()
    for seed in range(5):
        noise = torch.randn(best.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        other = best + 0.1 * (noise - operator.pseudo_inverse(operator(noise)))
        assert other.diff(dim=-1).square().sum() > best.diff(dim=-1).square().sum()


def test_the_smooth_inverse_keeps_constants_and_never_wraps():
    assert torch.allclose(smooth_inverse(torch.full((4, 4, 4), 0.7), (4, 4, 4)), torch.tensor(0.7), atol=1e-5)
    ramp = torch.arange(8.0)[None, None].expand(2, 2, 8)
    fine = smooth_inverse(ramp, (1, 1, 4))[0, 0]
    assert float(fine[0]) < 0.5
    assert float(fine[-1]) > 6.5
