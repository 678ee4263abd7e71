from dataclasses import replace

import pytest
import torch

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.sampling.predictions import to_x0
from napari_vol2vol.sampling.slice_prior import TURNS, SlicePrior, turn_at, turned, turned_back
from sampling.small_prior import DIFFUSED, small_network, small_prior

SHAPES = {1: (5, 16, 8), 2: (2, 5, 16, 8)}


@pytest.mark.parametrize("channels", [1, 2])
def test_each_slice_is_what_the_network_says_of_it(channels):
    network, x_t, t = small_network(channels), torch.randn(SHAPES[channels]), 0.4
    with torch.inference_mode():
        found = SlicePrior(network, DIFFUSED, channels, "coronal", slice_batch=2)(x_t, t)
        one = x_t[..., 3:4, :, :]
        stack = one[None] if channels == 1 else one.movedim(0, 1)
        output, _ = network(stack, torch.full((1,), t), torch.ones(1, dtype=torch.int64))
        stack = output[:, 0] if channels == 1 else output.movedim(1, 0)
        expected = to_x0("epsilon", stack, one, *DIFFUSED.coefficients(t, one))
    assert torch.allclose(found[..., 3:4, :, :], expected, atol=1e-5)


@pytest.mark.parametrize("channels", [1, 2])
def test_the_slice_batch_changes_nothing(channels):
    x_t = torch.randn(SHAPES[channels])
    with torch.inference_mode():
        small, large = (small_prior(channels, slice_batch=n)(x_t, 0.5) for n in (2, 99))
    assert torch.allclose(small, large, atol=1e-5)


def test_it_ticks_before_each_call_and_is_differentiable_when_asked():
    ticks = []
    prior = small_prior(slice_batch=2, tick=lambda: ticks.append(1))
    with torch.inference_mode():
        prior(torch.randn(5, 16, 8), 0.5)
    assert len(ticks) == 3
    x_t = torch.randn(5, 16, 8, requires_grad=True)
    prior(x_t, 0.5).sum().backward()
    assert len(ticks) == 4
    assert x_t.grad.abs().max() > 0


def test_images_of_other_channels_are_refused():
    with pytest.raises(SettingsError, match=r"image: found shape \(2, 5, 16, 8\), accepted by a prior of 1"):
        small_prior()(torch.zeros(2, 5, 16, 8), 0.5)
    with pytest.raises(SettingsError, match=r"accepted by a prior of 2 channels is \(2, D, H, W\)"):
        small_prior(2)(torch.zeros(5, 16, 8), 0.5)
    with pytest.raises(SettingsError, match="channels: found 3"):
        small_prior(3)


def test_all_turns_differ_and_are_turned_back_exactly():
    x = torch.arange(30.0).reshape(2, 3, 5)
    seen = [turned(x, turn) for turn in range(TURNS)]
    assert len({(tuple(y.shape), tuple(y.flatten().tolist())) for y in seen}) == TURNS
    assert all(torch.equal(turned_back(y, turn), x) for turn, y in enumerate(seen))


@pytest.mark.parametrize("channels", [1, 2])
def test_a_prior_that_knows_no_direction_is_unchanged_by_turning(channels):
    prior = small_prior(channels)

    def pointwise(x, t, label):
        return x.square(), []

    x_t = torch.randn(SHAPES[channels])
    alike = replace(prior, network=pointwise), replace(prior, network=pointwise, turning=True)
    with torch.inference_mode():
        for t in (0.1, 0.2, 0.3):
            assert torch.allclose(alike[0](x_t, t), alike[1](x_t, t))


def test_turning_is_drawn_from_the_time_alone():
    prior, x_t = small_prior(turning=True), torch.randn(5, 8, 8)
    times = [0.01 * i for i in range(1, 60)]
    assert {turn_at(t) for t in times} == set(range(TURNS))
    t = next(t for t in times if turn_at(t) == 5)
    with torch.inference_mode():
        expected = turned_back(small_prior()(turned(x_t, 5), t), 5)
        assert torch.allclose(prior(x_t, t), expected, atol=1e-6)
        assert torch.equal(prior(x_t, t), prior(x_t, t))
