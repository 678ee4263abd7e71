import numpy as np
import pytest

from napari_vol2vol.metrics.arrays import MetricError
from napari_vol2vol.metrics.information import mutual_information, normalised_mutual_information

SHAPE = (60, 70, 80)


@pytest.fixture(scope="module")
def noise():
    return np.random.default_rng(0).normal(size=(2, *SHAPE)).astype(np.float32)


@pytest.mark.parametrize("rho", [0.5, 0.9])
def test_correlated_gaussians_share_the_known_information(noise, rho):
    """I = -ln(1 - rho^2) / 2; bins can only lose some of it."""
    x, y = noise[0], rho * noise[0] + np.sqrt(1 - rho**2) * noise[1]
    expected = -0.5 * np.log(1 - rho**2)
    assert 0.93 * expected < mutual_information(x, y) < expected + 63**2 / 2 / x.size


def test_independent_arrays_share_the_bias_that_is_stated_at_most(noise):
    x, y = np.random.default_rng(1).random((2, *SHAPE))
    assert mutual_information(x, y) == pytest.approx(63**2 / (2 * x.size), rel=0.1)
    assert mutual_information(*noise) < 63**2 / (2 * noise[0].size)


@pytest.mark.parametrize("values", [2, 8])
def test_an_array_shares_its_entropy_with_itself_under_any_names(values):
    labels = np.arange(800) % values
    renamed = 100 - 7 * labels
    assert mutual_information(labels, renamed) == pytest.approx(np.log(values))
    assert normalised_mutual_information(labels, renamed) == pytest.approx(2)


def test_information_is_symmetric_and_needs_no_scale(noise):
    x, y = noise[0], noise[0] + noise[1]
    found = mutual_information(x, y)
    assert mutual_information(y, x) == pytest.approx(found)
    assert mutual_information(-3 * x, 10 * y) == pytest.approx(found, rel=0.01)


def test_the_normalised_information_follows_from_the_plain_one(noise):
    x, y = noise[0], noise[0] + 0.5 * noise[1]
    entropies = mutual_information(x, x) + mutual_information(y, y)
    expected = entropies / (entropies - mutual_information(x, y))
    assert normalised_mutual_information(x, y) == pytest.approx(expected, rel=1e-6)


def test_a_constant_array_shares_nothing(noise):
    assert mutual_information(noise[0], np.ones(SHAPE)) == pytest.approx(0)
    assert normalised_mutual_information(noise[0], np.ones(SHAPE)) == pytest.approx(1)


def test_what_has_no_information_is_refused(noise):
    with pytest.raises(MetricError, match="two constant arrays"):
        normalised_mutual_information(np.zeros(5), np.ones(5))
    with pytest.raises(MetricError, match=r"reference \(4,\)"):
        mutual_information(np.zeros(5), np.ones(4))
    with pytest.raises(MetricError, match="bins: found 1"):
        mutual_information(noise[0], noise[1], bins=1)
