import torch

from napari_vol2vol.sampling.gradients import by_slices, gradients, take


def test_gradients_can_be_recorded_inside_inference_mode():
    with torch.inference_mode():
        inside = torch.ones(3)
        with gradients():
            x = inside.clone().requires_grad_()
            x.square().sum().backward()
    assert torch.equal(x.grad, torch.full((3,), 2.0))


def test_batches_of_slices_are_put_back_in_order():
    x, seen = torch.randn(2, 7, 3, 3), []

    def double(part):
        seen.append((part.start, part.stop))
        return 2 * take(x, part)

    assert torch.equal(by_slices(double, x, 3), 2 * x)
    assert seen == [(0, 3), (3, 6), (6, 7)]
    assert torch.equal(by_slices(double, x, 99), 2 * x)
    assert seen[-1] == (0, 7)


def test_slices_are_taken_by_number_or_range():
    x = torch.randn(2, 7, 3, 3)
    assert torch.equal(take(x, torch.tensor([4, 1])), x[:, [4, 1]])
    assert torch.equal(take(x, slice(2, 4)), x[:, 2:4])
