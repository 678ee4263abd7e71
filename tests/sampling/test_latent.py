import pytest
import torch

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.physics import BlockAverage, smooth_inverse
from napari_vol2vol.sampling.latent import DIFFUSED, make_latent
from napari_vol2vol.sampling.measurement import IntensityMap, Measurement, Observed


@pytest.fixture
def measurement():
    operator, low = BlockAverage((2, 2, 2)), torch.randn(4, 5, 6)
    base = smooth_inverse(low, (2, 2, 2))
    whole = (slice(0, 8), slice(0, 10), slice(0, 12))
    return Measurement(
        {"base": base},
        base,
        IntensityMap(0.0, 80.0),
        whole,
        Observed(operator.from_means(low), operator, nothing=-1.0),
    )


@pytest.mark.parametrize("what", DIFFUSED)
def test_decode_inverts_encode(measurement, what):
    latent, x = make_latent(what, 0.3, measurement.conditions), torch.randn(8, 10, 12)
    assert torch.allclose(latent.decode(latent.encode(x)), x, atol=1e-6)


@pytest.mark.parametrize("what", DIFFUSED)
def test_the_encoded_measurement_is_that_of_the_encoded_volume(measurement, what):
    operator = measurement.observed.operator
    x = torch.randn(8, 10, 12)
    x = x - operator.pseudo_inverse(operator(x) - measurement.observed.y)  # now A x = y
    latent = make_latent(what, 0.3, measurement.conditions)
    assert torch.allclose(operator(latent.encode(x)), latent.encode_observed(measurement.observed), atol=1e-4)


def test_a_residual_is_measured_as_zero_because_its_base_honours_the_measurement(measurement):
    encoded = make_latent("residual", 0.3, measurement.conditions).encode_observed(measurement.observed)
    assert torch.allclose(encoded, torch.zeros_like(encoded), atol=1e-4)


def test_unknown_names_are_refused(measurement):
    with pytest.raises(SettingsError, match="'noise', accepted are residual, image"):
        make_latent("noise", 1.0, measurement.conditions)


def test_the_intensity_map_is_undone_exactly():
    intensity, x = IntensityMap(-10.0, 250.0), torch.linspace(-50, 900, 40)
    assert torch.allclose(intensity.to_physical(intensity.to_model(x)), x, atol=1e-3)
    assert intensity.to_model(torch.tensor([-10.0, 240.0])).tolist() == [-1.0, 1.0]


def test_the_relative_residual_is_that_of_physical_block_means(measurement):
    assert measurement.relative_residual(measurement.base) < 1e-5
    scaled = measurement.intensity.to_model(1.1 * measurement.intensity.to_physical(measurement.base))
    assert measurement.relative_residual(scaled) == pytest.approx(0.1, abs=1e-4)
