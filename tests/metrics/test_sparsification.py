import numpy as np
import pytest

from napari_vol2vol.metrics.arrays import MetricError
from napari_vol2vol.metrics.sparsification import ause, sparsification

SHAPE = (40, 50, 60)


@pytest.fixture(scope="module")
def error():
    return np.random.default_rng(0).exponential(3, SHAPE).astype(np.float32)


def test_the_oracles_order_has_no_area(error):
    assert ause(error, error) == 0
    assert ause(error, np.log(error)) == pytest.approx(0, abs=1e-12)


def test_an_uncertainty_that_knows_nothing_has_the_known_area(error):
    """The oracle leaves 1 + f ln f / (1 - f) of an exponential error; the rest integrates to pi^2 / 6 - 1."""
    found = ause(error, np.random.default_rng(1).random(SHAPE), points=1000)
    assert found == pytest.approx(np.pi**2 / 6 - 1, abs=0.02)


def test_the_oracles_curve_of_an_exponential_error_is_the_known_one(error):
    curve = sparsification(error, error, points=10)
    f = curve.fractions[1:]
    assert np.allclose(curve.by_error[1:], 1 + f * np.log(f) / (1 - f), atol=0.01)


def test_the_worst_order_is_worse_than_none(error):
    assert ause(error, -error) > ause(error, np.zeros(SHAPE)) > 0


def test_the_curves_by_hand():
    curve = sparsification(np.array([4.0, 1, 3, 0]), np.array([1.0, 4, 3, 2]), points=4)
    assert curve.fractions.tolist() == [0, 0.25, 0.5, 0.75]
    assert np.allclose(curve.by_uncertainty, [1, 7 / 6, 1, 2])
    assert np.allclose(curve.by_error, [1, 2 / 3, 1 / 4, 0])
    assert curve.ause == pytest.approx((0 / 2 + 1 / 2 + 3 / 4 + 2 / 2) / 4)


def test_one_uncertainty_for_all_leaves_the_mean_wherever_the_errors_lie(error):
    ordered = np.sort(error, axis=None)
    assert np.allclose(sparsification(ordered, np.ones(ordered.shape)).by_uncertainty, 1)


def test_a_monotone_change_of_the_uncertainty_changes_nothing(error):
    uncertainty = np.random.default_rng(2).random(SHAPE)
    assert ause(error, uncertainty) == ause(error, 5 * uncertainty**3)


def test_what_has_no_curve_is_refused(error):
    with pytest.raises(MetricError, match="accepted are errors of at least 0"):
        ause(-error, error)
    with pytest.raises(MetricError, match="one of them above"):
        ause(np.zeros(3), np.ones(3))
    with pytest.raises(MetricError, match="not finite"):
        ause(np.ones(3), np.array([1, 2, np.nan]))
    with pytest.raises(MetricError, match="uncertainty"):
        ause(np.ones(3), np.ones(4))
    with pytest.raises(MetricError, match="points: found 1"):
        ause(np.ones(3), np.ones(3), points=1)
