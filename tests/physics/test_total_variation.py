import pytest
import torch

from napari_vol2vol.physics.total_variation import differences, differences_adjoint, shrink, total_variation


@pytest.mark.parametrize("axes", [(-3,), (-2, -1), (-3, -2, -1)])
def test_the_adjoint_passes_the_dot_product_test(axes):
    x = torch.randn(2, 5, 4, 6, dtype=torch.float64)
    d = torch.randn(len(axes), 2, 5, 4, 6, dtype=torch.float64)
    left, right = (differences(x, axes) * d).sum(), (x * differences_adjoint(d, axes)).sum()
    assert torch.allclose(left, right)


def test_the_ends_are_replicated_and_never_wrap():
    ramp = torch.arange(5.0)[:, None, None].expand(5, 2, 2)
    d = differences(ramp, (-3,))[0]
    assert torch.equal(d[:4], torch.ones(4, 2, 2))
    assert torch.equal(d[4], torch.zeros(2, 2))
    assert float(total_variation(ramp, (-3,))) == 4 * 4


def test_a_single_slice_has_no_variation_along_z():
    x = torch.randn(1, 4, 4)
    assert not differences(x, (-3,)).any()
    assert not differences_adjoint(torch.randn(1, 1, 4, 4), (-3,)).any()


def test_shrinking_shortens_vectors_and_keeps_their_direction():
    d = torch.tensor([[3.0, 0.3], [4.0, 0.4]]).reshape(2, 1, 1, 2)
    short = shrink(d, 1.0)
    assert torch.allclose(short[:, 0, 0, 0], torch.tensor([3.0, 4.0]) * 4 / 5)
    assert not short[:, 0, 0, 1].any()
    assert torch.equal(shrink(d, 0.0), d)


def test_shrinking_along_one_axis_is_soft_thresholding_with_a_finite_gradient():
    d = torch.tensor([-2.0, -0.5, 0.0, 0.5, 2.0], requires_grad=True)
    short = shrink(d[None, None, None], 1.0)
    assert torch.equal(short.flatten(), torch.tensor([-1.0, 0.0, 0.0, 0.0, 1.0]))
    short.sum().backward()
    assert torch.equal(d.grad, torch.tensor([1.0, 0.0, 0.0, 0.0, 1.0]))
