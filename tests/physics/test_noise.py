import pytest
import torch

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.physics import BlockAverage
from napari_vol2vol.physics.coil_maps import birdcage
from napari_vol2vol.physics.coil_sampling import CoilSampling
from napari_vol2vol.physics.fourier_sampling import FourierSampling
from napari_vol2vol.physics.noise import measured


def test_noise_has_the_stated_deviation_and_is_white():
    operator, x = BlockAverage((1, 1, 1)), torch.zeros(40, 50, 60)
    y = measured(operator, x, 0.25, seed=2)
    assert float(y.std()) == pytest.approx(0.25, rel=0.01)
    assert abs(float(y.mean())) < 0.01
    assert abs(float((y[..., 1:] * y[..., :-1]).mean())) < 1e-3


def test_k_space_has_it_in_both_parts_where_it_was_sampled():
    mask = torch.rand(60, 70) < 0.5
    for operator in (
        FourierSampling(mask),
        CoilSampling(FourierSampling(mask), birdcage(3, (1, 60, 70))),
    ):
        y = measured(operator, torch.zeros(20, 60, 70), 0.25)[..., mask]
        assert float(y.real.std()) == pytest.approx(0.25, rel=0.02)
        assert float(y.imag.std()) == pytest.approx(0.25, rel=0.02)
        assert float(measured(operator, torch.zeros(20, 60, 70), 1.0)[..., ~mask].abs().max()) == 0


def test_the_same_seed_gives_the_same_noise_and_none_gives_the_plain_measurement():
    operator, x = BlockAverage((2, 2, 2)), torch.randn(4, 4, 4)
    assert torch.equal(measured(operator, x, 1.0, 7), measured(operator, x, 1.0, 7))
    assert not torch.equal(measured(operator, x, 1.0, 7), measured(operator, x, 1.0, 8))
    assert torch.equal(measured(operator, x, 0.0), operator(x))


@pytest.mark.parametrize("sigma", [-0.1, float("inf"), float("nan")])
def test_the_deviation_must_be_a_number(sigma):
    with pytest.raises(SettingsError, match="sigma: found"):
        measured(BlockAverage((1, 1, 1)), torch.zeros(2, 2, 2), sigma)
