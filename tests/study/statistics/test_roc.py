import numpy as np
import pytest

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.study.statistics.roc import (
    auc,
    curve,
    delong_covariance,
    jackknife_covariance,
    left_out_auc,
)
from study.statistics.published_readings import VAN_DYKE, VAN_DYKE_TRUTH, ratings_of


def test_area_is_the_share_of_pairs_in_the_right_order_with_ties_as_half():
    assert auc([1, 2, 3, 2], [False, False, True, True]) == pytest.approx((1 + 1 + 1 + 0.5) / 4)


def test_area_agrees_with_scikit_learn():
    from sklearn.metrics import roc_auc_score

    ratings = ratings_of(VAN_DYKE)
    expected = [[roc_auc_score(VAN_DYKE_TRUTH, row) for row in treatment] for treatment in ratings]
    np.testing.assert_allclose(auc(ratings, VAN_DYKE_TRUTH), expected, atol=1e-12)


def test_leaving_one_out_is_the_area_of_the_others():
    rng = np.random.default_rng(0)
    ratings, truth = rng.integers(1, 6, (3, 12)), np.arange(12) < 5
    for case, row in enumerate(left_out_auc(ratings, truth)):
        keep = np.arange(12) != case
        np.testing.assert_allclose(row, auc(ratings[:, keep], truth[keep]))


def test_a_patient_who_is_positive_and_negative_is_left_out_whole():
    rng = np.random.default_rng(1)
    ratings, truth = rng.integers(1, 6, (2, 12)), np.arange(12) < 6
    patients = [*range(6), *range(6)]
    for patient, row in enumerate(left_out_auc(ratings, truth, patients)):
        keep = np.array(patients) != patient
        np.testing.assert_allclose(row, auc(ratings[:, keep], truth[keep]))


def test_delong_variance_of_one_area_agrees_with_its_definition():
    ratings, truth = np.array([3.0, 1, 2, 4, 5, 5]), np.array([0, 0, 0, 1, 1, 1], bool)
    found = delong_covariance(ratings, truth)
    wins = (ratings[truth][:, None] > ratings[~truth]) + 0.5 * (ratings[truth][:, None] == ratings[~truth])
    expected = wins.mean(1).var(ddof=1) / 3 + wins.mean(0).var(ddof=1) / 3
    assert found.shape == (1, 1)
    assert found[0, 0] == pytest.approx(expected)


def test_jackknife_of_a_mean_is_its_usual_variance():
    values = np.random.default_rng(2).normal(size=(30, 2))
    left_out = (values.sum(0) - values) / 29
    np.testing.assert_allclose(jackknife_covariance(left_out), np.cov(values.T) / 30)


def test_the_curve_starts_at_nothing_and_its_area_is_the_area():
    ratings, truth = ratings_of(VAN_DYKE)[0, 0], VAN_DYKE_TRUTH
    false, true = curve(ratings, truth)
    assert (false[0], true[0], false[-1], true[-1]) == (0, 0, 1, 1)
    assert np.trapezoid(true, false) == pytest.approx(auc(ratings, truth))


def test_one_class_only_is_refused():
    with pytest.raises(SettingsError, match="one class only"):
        auc([1, 2], [True, True])
