import numpy as np
import pytest

from napari_vol2vol.metrics.arrays import MetricError
from napari_vol2vol.metrics.calibration import (
    LEVELS,
    coverage,
    mean_absolute_calibration_error,
    uncertainty_error_correlation,
)

SHAPE = (60, 60, 60)
TOLERANCE = 4 * 0.5 / np.sqrt(np.prod(SHAPE))  # four standard errors of a share


@pytest.fixture(scope="module")
def calibrated():
    """A truth drawn from N(mean, std^2) with a mean and a std of its own at each voxel."""
    rng = np.random.default_rng(0)
    mean = rng.normal(50, 20, SHAPE).astype(np.float32)
    std = rng.uniform(0.5, 4, SHAPE).astype(np.float32)
    return mean, std, (mean + std * rng.normal(size=SHAPE)).astype(np.float32)


def sampled(samples):
    """Mean and standard deviation of a few draws from the posterior that the truth was drawn from."""
    rng = np.random.default_rng(samples)
    draws = rng.normal(3, 2, (samples, *SHAPE))
    return draws.mean(axis=0), draws.std(axis=0, ddof=1), rng.normal(3, 2, SHAPE)


def test_the_calibration_error_has_its_closed_form():
    mean, reference = np.zeros((4, 5, 6), np.float32), np.full((4, 5, 6), -3, np.float32)
    for sigma, expected in [(3.0, 0.0), (0.0, 3.0), (5.0, 2.0)]:
        std = np.full_like(mean, sigma)
        found = mean_absolute_calibration_error(mean=mean, std=std, reference=reference)
        assert found == pytest.approx(expected)


@pytest.mark.parametrize(("claimed", "expected"), [(2.0, 2 * 0.535377), (0.0, 2 * np.sqrt(2 / np.pi))])
def test_a_gaussian_error_has_the_known_calibration_error(claimed, expected):
    """E|1 - |g|| = 2 [2 phi(1) - phi(0)] + 2 [2 Phi(1) - 1.5]; without std, the mean of the half-normal."""
    reference = np.random.default_rng(0).normal(0, 2, SHAPE).astype(np.float32)
    found = mean_absolute_calibration_error(
        mean=np.zeros_like(reference), std=np.full_like(reference, claimed), reference=reference
    )
    assert found == pytest.approx(expected, rel=0.005)


def test_a_calibrated_gaussian_is_covered_as_often_as_stated(calibrated):
    mean, std, reference = calibrated
    found = coverage(mean, std, reference)
    assert tuple(found) == LEVELS
    for level, share in found.items():
        assert share == pytest.approx(level, abs=TOLERANCE)


def test_too_small_a_deviation_covers_too_little_and_too_large_a_one_too_much(calibrated):
    mean, std, reference = calibrated
    for factor, sign in [(0.5, -1), (2, 1)]:
        for level, share in coverage(mean, factor * std, reference).items():
            assert sign * (share - level) > 0.04


@pytest.mark.parametrize("samples", [2, 5, 20])
def test_the_predictive_interval_is_right_at_any_number_of_samples(samples):
    mean, std, reference = sampled(samples)
    for level, share in coverage(mean, std, reference, samples=samples).items():
        assert share == pytest.approx(level, abs=TOLERANCE)


def test_the_gaussian_interval_of_five_samples_covers_as_little_as_the_docstring_says():
    mean, std, reference = sampled(5)
    found = coverage(mean, std, reference, levels=(0.68, 0.95))
    assert found[0.68] == pytest.approx(0.58, abs=0.01)
    assert found[0.95] == pytest.approx(0.85, abs=0.01)


def test_a_certain_voxel_is_covered_only_where_it_is_right():
    zeros = np.zeros((2, 2, 2))
    reference = zeros.copy()
    reference[0] = 1e-6
    assert coverage(zeros, zeros, reference, levels=(0.5,)) == {0.5: 0.5}


def test_the_correlation_is_that_of_ranks(calibrated):
    mean, std, _ = calibrated
    assert uncertainty_error_correlation(mean, std, mean - np.exp(std)) == pytest.approx(1)
    assert uncertainty_error_correlation(mean, std, mean + 1 / std) == pytest.approx(-1, abs=1e-3)


def test_an_uncertainty_of_which_the_error_knows_nothing_has_no_correlation(calibrated):
    mean, std, reference = calibrated
    assert uncertainty_error_correlation(mean, std, reference) > 0.3
    shuffled = np.random.default_rng(1).permutation(std.ravel()).reshape(SHAPE)
    assert abs(uncertainty_error_correlation(mean, shuffled, reference)) < 0.01


def test_what_calibration_is_not_defined_for_is_refused():
    ones = np.ones((2, 3, 4))
    with pytest.raises(MetricError, match=r"std \(2, 3\)"):
        mean_absolute_calibration_error(mean=ones, std=ones[..., 0], reference=ones)
    with pytest.raises(MetricError, match=r"std: found -1"):
        coverage(ones, -ones, ones)
    with pytest.raises(MetricError, match=r"levels: found \(0\.5, 95\)"):
        coverage(ones, ones, ones, levels=(0.5, 95))
    with pytest.raises(MetricError, match="samples: found 1"):
        coverage(ones, ones, ones, samples=1)
    with pytest.raises(MetricError, match="one value of std everywhere"):
        uncertainty_error_correlation(ones, ones, ones)
    with pytest.raises(MetricError, match="one value of error everywhere"):
        uncertainty_error_correlation(ones, np.arange(24.0).reshape(2, 3, 4), ones)
