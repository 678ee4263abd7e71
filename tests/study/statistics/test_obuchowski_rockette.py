"""Against OR-DBM MRMC 2.51 (University of Iowa) and the MRMCaov user guide, which print these figures.

OR-DBM output: distributed with RJafroc as tests/testthat/goodValues361/Iowa/{VanDyke,Franken1}.txt. MRMCaov:
Smith and Hillis, "MRMCaov: Multi-Reader Multi-Case ANOVA Software for R", section "Covariance Estimation
Methods".
"""

import numpy as np
import pytest

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.study.statistics.multi_reader import auc_figures, compare, proportion_figures
from napari_vol2vol.study.statistics.obuchowski_rockette import obuchowski_rockette
from study.statistics.published_readings import FRANKEN, FRANKEN_TRUTH, VAN_DYKE, VAN_DYKE_TRUTH, ratings_of


@pytest.fixture(scope="module")
def van_dyke():
    return auc_figures(ratings_of(VAN_DYKE), VAN_DYKE_TRUTH)


@pytest.fixture(scope="module")
def franken():
    return auc_figures(ratings_of(FRANKEN), FRANKEN_TRUTH)


def test_areas_of_van_dyke_are_those_printed(van_dyke):
    printed = [
        [0.91964573, 0.85877617, 0.90386473, 0.97310789, 0.82979066],
        [0.94782609, 0.90531401, 0.92173913, 0.99935588, 0.92995169],
    ]
    np.testing.assert_allclose(van_dyke.values, printed, atol=5e-9)


def test_variance_components_of_van_dyke_are_those_printed(van_dyke):
    parts = compare(van_dyke, "readers and cases").components
    names = "ms_treatment ms_reader ms_interaction variance cov1 cov2 cov3 var_reader var_interaction"
    found = [getattr(parts, name) for name in names.split()]
    printed = (0.00479617, 0.00383620, 0.00055103, 0.00080229, 0.00034661, 0.00034407, 0.00023903, 0.00153500,
               0.00020040)  # fmt: skip
    np.testing.assert_allclose(found, printed, atol=5.1e-9)


def test_random_readers_and_cases_of_van_dyke(van_dyke):
    found = compare(van_dyke, "readers and cases")
    difference = found.differences[0]
    assert (found.statistic, found.df2, found.p) == pytest.approx((4.46, 15.26, 0.0517), abs=5e-3)
    assert found.p == pytest.approx(0.0517, abs=5e-5)
    assert difference.value == pytest.approx(-0.04380, abs=5e-6)
    assert (difference.standard_error, difference.low, difference.high) == pytest.approx(
        (0.02075, -0.08796, 0.00036), abs=5e-6
    )
    first, second = found.means
    assert (first.value, first.standard_error, first.low, first.high) == pytest.approx(
        (0.89703704, 0.03317360, 0.82522360, 0.96885048), abs=5e-9
    )
    assert (second.standard_error, second.low, second.high) == pytest.approx(
        (0.02156637, 0.89413783, 0.98753689), abs=5e-9
    )
    assert (first.df, second.df) == pytest.approx((12.74, 12.71), abs=5e-3)


def test_fixed_readers_of_van_dyke(van_dyke):
    found = compare(van_dyke, "cases")
    assert found.statistic == pytest.approx(5.47595, abs=5e-6)
    assert found.p == pytest.approx(0.01927984, abs=5e-9)
    assert found.df2 == np.inf
    first, second = found.means
    assert (first.standard_error, first.low, first.high) == pytest.approx(
        (0.02428971, 0.84943008, 0.94464399), abs=6e-9
    )
    assert (second.standard_error, second.low, second.high) == pytest.approx(
        (0.01677632, 0.90795637, 0.97371835), abs=6e-9
    )


def test_fixed_cases_of_van_dyke(van_dyke):
    found = compare(van_dyke, "readers")
    assert (found.statistic, found.df2) == pytest.approx((8.70, 4), abs=5e-3)
    assert found.p == pytest.approx(0.0420, abs=5e-5)
    assert (found.means[0].standard_error, found.means[1].standard_error) == pytest.approx(
        (0.02482994, 0.01615303), abs=5e-9
    )


def test_delong_covariance_of_van_dyke_is_that_of_mrmcaov():
    figures = auc_figures(ratings_of(VAN_DYKE), VAN_DYKE_TRUTH, "delong")
    found = compare(figures, "readers and cases")
    parts = found.components
    assert (parts.variance, parts.cov1, parts.cov2, parts.cov3) == pytest.approx(
        (0.0007921325, 0.0003420090, 0.0003395265, 0.0002358497), abs=5.1e-11
    )
    assert (found.statistic, found.df2, found.p) == pytest.approx((4.484854, 15.06611, 0.05123303), rel=1e-6)
    assert (found.means[0].low, found.means[0].high) == pytest.approx((0.8253461, 0.9687280), abs=5.1e-8)


def test_franken_with_random_readers_and_cases(franken):
    found = compare(franken, "readers and cases")
    parts = found.components
    assert (parts.variance, parts.cov1, parts.cov2, parts.cov3, parts.var_reader, parts.var_interaction) == (
        pytest.approx((0.00152578, 0.00079168, 0.00048364, 0.00051251, 0.00003776, -0.00071276), abs=5.1e-9)
    )
    assert (found.statistic, found.df2) == pytest.approx((4.69, 3.0), abs=5e-3)
    assert found.p == pytest.approx(0.1188, abs=5e-5)
    first, second = found.means
    assert (first.value, first.standard_error, first.low, first.high) == pytest.approx(
        (0.84774989, 0.02440215, 0.79908282, 0.89641696), abs=5.1e-9
    )
    assert (first.df, second.df) == pytest.approx((70.12, 253.64), abs=5e-3)


def test_franken_with_fixed_readers_and_with_fixed_cases(franken):
    cases, readers = compare(franken, "cases"), compare(franken, "readers")
    assert (cases.statistic, cases.p) == pytest.approx((0.32101, 0.5710), abs=5e-5)
    assert (cases.means[0].standard_error, cases.means[1].standard_error) == pytest.approx(
        (0.02710939, 0.02744860), abs=5.1e-9
    )
    assert (readers.statistic, readers.df2) == pytest.approx((4.69, 3), abs=5e-3)
    assert readers.p == pytest.approx(0.1188, abs=5e-5)


def test_fixed_cases_are_the_paired_t_test_of_the_readers():
    from scipy.stats import ttest_rel

    figures = np.array([[0.8, 0.7, 0.9, 0.75], [0.85, 0.78, 0.88, 0.83]])
    found = obuchowski_rockette(figures, np.zeros((2, 4, 2, 4)), "readers")
    assert found.p == pytest.approx(ttest_rel(*figures).pvalue)


def test_proportions_of_one_reader_are_tested_as_the_mean_of_differences_over_cases():
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 2, (2, 1, 40))
    found = compare(proportion_figures(scores), "cases")
    differences = scores[0, 0] - scores[1, 0]
    error = differences.std(ddof=1) / np.sqrt(40)
    assert found.differences[0].standard_error == pytest.approx(error)
    assert found.differences[0].statistic == pytest.approx(differences.mean() / error)


def test_one_reader_is_no_sample_of_readers():
    with pytest.raises(SettingsError, match="found one reader"):
        obuchowski_rockette([[0.8], [0.9]], np.zeros((2, 1, 2, 1)), "readers and cases")


def test_delong_is_refused_for_patients_with_several_volumes():
    ratings, truth = np.ones((1, 1, 4)), [True, False, True, False]
    with pytest.raises(SettingsError, match="use the jackknife"):
        auc_figures(ratings, truth, "delong", ["a", "a", "b", "b"])
