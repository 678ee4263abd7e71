"""Agreement: the closed gradient of mutual information, and steps along it."""

import pytest
import torch

from napari_vol2vol.sampling import agreement
from napari_vol2vol.sampling.agreement import Agreement, agreeing, gradient, mutual_information
from napari_vol2vol.sampling.schedules import make_schedule

SHAPE = (6, 8, 10)


@pytest.fixture
def pair() -> tuple[torch.Tensor, torch.Tensor]:
    """A source, and a volume of another contrast with noise."""
    generator = torch.Generator().manual_seed(3)
    source = torch.rand(SHAPE, generator=generator) * 1.8 - 0.9
    other = 0.6 * torch.cos(3 * source) + 0.2 * torch.randn(SHAPE, generator=generator)
    return source, other.clamp(-0.95, 0.95)


def test_gradient_is_that_of_automatic_differentiation(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    source, other = pair
    x = other.clone().requires_grad_()
    (expected,) = torch.autograd.grad(mutual_information(source, x), x)
    torch.testing.assert_close(gradient(source, other), expected * x.numel(), rtol=2e-3, atol=2e-4)


def test_gradient_does_not_depend_on_the_chunks(
    pair: tuple[torch.Tensor, torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = gradient(*pair)
    monkeypatch.setattr(agreement, "CHUNK", 37)
    torch.testing.assert_close(gradient(*pair), whole, rtol=1e-4, atol=1e-5)


def test_information_is_symmetric_and_largest_with_itself(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    source, other = pair
    torch.testing.assert_close(mutual_information(source, other), mutual_information(other, source))
    assert mutual_information(source, source) > mutual_information(source, other) > 0


def test_turning_the_contrast_round_changes_nothing(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    source, other = pair
    torch.testing.assert_close(mutual_information(-source, other), mutual_information(source, other))
    torch.testing.assert_close(gradient(-source, other), gradient(source, other), rtol=1e-3, atol=1e-4)


def test_steps_raise_the_information_and_fade_with_the_noise(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    source, other = pair
    schedule = make_schedule("vp_cosine", {})
    step = Agreement(source, schedule, 1.0, 0.05)
    moved = step(other, 0.5)
    assert mutual_information(source, moved) > mutual_information(source, other)
    size = [float((step(other, t) - other).square().mean().sqrt()) for t in (0.9, 0.5, 0.1, 0.001)]
    assert size == sorted(size, reverse=True)
    assert size[-1] < 1e-3


def test_size_of_a_step_does_not_depend_on_the_scale_of_the_diffused_variable(
    pair: tuple[torch.Tensor, torch.Tensor],
) -> None:
    source, other = pair
    schedule = make_schedule("vp_cosine", {})
    one, half = (
        Agreement(source, schedule, scale, 0.1)(other / scale, 0.5) - other / scale for scale in (1.0, 0.5)
    )
    torch.testing.assert_close(one, half, rtol=1e-3, atol=1e-4)


def test_a_constant_estimate_stays(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    source, _ = pair
    flat = torch.full(SHAPE, -1.0)
    moved = agreeing(lambda x, t: x, Agreement(source, make_schedule("vp_cosine", {}), 1.0, 1.0))(flat, 0.5)
    torch.testing.assert_close(moved, flat)
