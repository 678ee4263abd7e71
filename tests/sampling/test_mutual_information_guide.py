import pytest
import torch
from torch import nn

from napari_vol2vol.networks.local_mutual_information import WindowSettings
from napari_vol2vol.sampling.branches import Diffused
from napari_vol2vol.sampling.mutual_information_guide import (
    NO_MAP,
    Guide,
    guided_denoiser,
    guiding_layer,
    time_of_information,
)
from napari_vol2vol.sampling.planes import PLANES

VE = Diffused("image", 0.5, "v", "ve", {"sigma_min": 0.02, "sigma_max": 30.0})
LAYER = guiding_layer(WindowSettings(levels=4))
SHAPE = (6, 8, 10)


class Told(nn.Module):
    """Answers with what it was told, times a number: what a denoiser hands to its network shows."""

    def __init__(self, factor=0.1):
        super().__init__()
        self.factor, self.seen = factor, []

    def forward(self, x, t, label):
        self.seen.append((x.clone(), label.clone()))
        return self.factor * x[:, 1:2], []


def noise(i, shape=SHAPE):
    return torch.randn(shape, generator=torch.Generator().manual_seed(i))


def source(shape=SHAPE):
    return torch.rand(shape, generator=torch.Generator().manual_seed(7)) * 2 - 1


def test_x_t_is_shown_at_unit_variance_and_v_is_read_back_exactly():
    x0, t = noise(1), 0.6
    alpha, sigma = VE.coefficients(t, x0)
    eps = noise(2)
    a, s = (v / (alpha**2 + sigma**2).sqrt() for v in (alpha, sigma))

    class Perfect(nn.Module):
        def forward(self, x, t, label):
            assert x[:, 0].var() == pytest.approx(1.0, rel=0.3)
            return (a * eps - s * x0)[:, None], []

    found = guided_denoiser(Perfect(), "axial", VE, None)(alpha * x0 + sigma * eps, t)
    torch.testing.assert_close(found, x0, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("plane", PLANES)
def test_the_map_is_that_of_each_slice_whatever_the_batch(plane):
    x_t, seen = noise(3), {}
    for batch in (1, 4, 64):
        network = Told()
        guided_denoiser(
            network, plane, VE, Guide(source(), LAYER, batch), slice_batch=batch,
            tap=lambda name, v: seen.update({name: v}),
        )(x_t, 0.5)  # fmt: skip
        assert {int(v) for _, labels in network.seen for v in labels} == {PLANES.index(plane)}
        told = seen.pop(f"LMI {plane}")
        assert 0 <= told.min() < told.max() <= 1
        torch.testing.assert_close(told, seen.setdefault("first", told))
    assert set(seen) == {"first"}


def test_a_source_and_its_negative_guide_alike():
    x_t = noise(4)
    both = [guided_denoiser(Told(), "axial", VE, Guide(sign * source(), LAYER))(x_t, 0.4) for sign in (1, -1)]
    torch.testing.assert_close(*both)
    other = guided_denoiser(Told(), "axial", VE, Guide(source().flip(0), LAYER))(x_t, 0.4)
    assert (other - both[0]).abs().max() > 1e-3


def test_without_a_guide_the_network_is_told_nothing():
    network = Told()
    guided_denoiser(network, "sagittal", VE, None)(noise(5), 0.4)
    assert all((x[:, 1] == NO_MAP).all() for x, _ in network.seen)


def test_the_strength_goes_from_the_unguided_estimate_through_the_guided_one_and_beyond():
    x_t, guide = noise(6), Guide(source(), LAYER)
    none, half, whole, double = (
        guided_denoiser(Told(), "axial", VE, guide, strength=s)(x_t, 0.5) for s in (0.0, 0.5, 1.0, 2.0)
    )
    torch.testing.assert_close(none, guided_denoiser(Told(), "axial", VE, None)(x_t, 0.5))
    torch.testing.assert_close(half, (none + whole) / 2)
    torch.testing.assert_close(double, 2 * whole - none)


def test_the_more_information_is_to_stay_the_earlier_is_t0():
    shape = (10, 24, 24)
    g = torch.nn.functional.interpolate(source((1, 1, 5, 6, 6)), size=shape)[0, 0]
    times = [
        time_of_information(g, g / 0.5, LAYER, VE.schedule, share, lambda i: noise(i, shape))
        for share in (0.9, 0.5, 0.1)
    ]
    assert 0 < times[0] < times[1] < times[2] < 1
