import pytest
import torch

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.physics.imaging_operator import ImagingOperator, normal_map
from physics.imaging_operators import IMAGING_OPERATORS


@pytest.fixture(params=list(IMAGING_OPERATORS))
def case(request):
    return IMAGING_OPERATORS[request.param]


def test_they_keep_the_contract_of_imaging(case):
    assert isinstance(case[0], ImagingOperator)


def test_the_normal_map_is_the_adjoint_after_the_operator(case):
    operator, shape = case
    x = torch.randn(shape, dtype=torch.float64)
    assert torch.allclose(operator.normal(x), operator.adjoint(operator(x)), atol=1e-12)
    assert normal_map(operator) == operator.normal


def test_the_axes_of_a_system_are_those_that_the_operator_mixes(case):
    operator, shape = case
    x = torch.zeros(shape, dtype=torch.float64)
    x.view(-1)[x.numel() // 3] = 1
    touched = operator.normal(x).abs() > 1e-12
    apart = [a for a in range(len(shape)) if a - len(shape) not in operator.system_axes]
    place = torch.unravel_index(torch.tensor(x.numel() // 3), shape)
    for axis in apart:
        others = torch.arange(shape[axis]) != place[axis]
        assert not touched.index_select(axis, others.nonzero()[:, 0]).any()


def test_some_slices_are_measured_as_they_are_in_the_volume(case):
    operator, shape = case
    if -3 in operator.system_axes:
        with pytest.raises(SettingsError, match="mixes slices"):
            operator.at_slices(slice(0, 1))
        return
    x, index = torch.randn(shape), torch.tensor([shape[-3] - 1, 0])
    for chosen in (index, slice(1, None)):
        part = operator.at_slices(chosen)
        expected = operator(x)[..., chosen, :, :]
        assert torch.allclose(part(x[..., chosen, :, :]), expected, atol=1e-6)
        assert torch.allclose(
            part.adjoint(expected), operator.adjoint(operator(x))[..., chosen, :, :], atol=1e-6
        )


def test_leading_axes_are_a_batch(case):
    operator, shape = case
    x = torch.randn(2, *shape)
    y = operator(x)
    assert torch.allclose(y[1], operator(x[1]), atol=1e-6)
    assert torch.allclose(operator.adjoint(y)[0], operator.adjoint(y[0]), atol=1e-6)


def test_gradients_are_the_adjoint_also_after_use_without_gradients(case):
    operator, shape = case
    with torch.inference_mode():
        operator(torch.randn(shape, dtype=torch.float64))
    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    target = operator(torch.randn(shape, dtype=torch.float64))
    residual = operator(x) - target
    (gradient,) = torch.autograd.grad(residual.abs().square().sum() / 2, x)
    assert torch.allclose(gradient, operator.adjoint(residual).detach(), atol=1e-10)
    (curvature,) = torch.autograd.grad((operator.normal(x) * x).sum() / 2, x)
    assert torch.allclose(curvature, operator.normal(x).detach(), atol=1e-10)


def test_autocast_does_not_round_a_measurement(case):
    operator, shape = case
    x = torch.randn(shape)
    exact = operator(x)
    with torch.autocast("cpu", torch.bfloat16):
        again, back = operator(x), operator.adjoint(exact)
    assert torch.equal(again, exact)
    assert torch.equal(back, operator.adjoint(exact))
