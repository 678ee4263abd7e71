import numpy as np
import pytest

from napari_vol2vol.study.statistics.clustered import bootstrap_mean
from napari_vol2vol.study.statistics.multi_reader import (
    mean_against,
    mean_equivalence,
    mean_error,
    proportion_figures,
)
from napari_vol2vol.study.statistics.simulation import (
    RoeMetz,
    correlated_answers,
    null_rates_of_auc,
    null_rates_of_proportion,
    roe_metz_ratings,
)


def test_case_aware_pooling_keeps_the_error_rate_where_naive_pooling_does_not():
    rates = null_rates_of_proportion(600, 4, 20, seed=1)
    assert rates["case-aware"] == pytest.approx(0.05, abs=0.03)
    assert rates["naive"] > 0.1


def test_multi_reader_tests_keep_the_error_rate():
    rates = null_rates_of_auc(300, 4, 25, 25, seed=1)
    assert rates["readers and cases"] <= 0.08
    assert rates["cases"] == pytest.approx(0.05, abs=0.035)


def test_answers_correlate_between_readers_as_told():
    answers = correlated_answers(2, 40_000, 0.3, np.random.default_rng(0))
    assert answers.mean() == pytest.approx(0.5, abs=0.01)
    assert np.corrcoef(answers)[0, 1] == pytest.approx(0.3, abs=0.02)


def test_ratings_of_the_null_have_unit_variance_and_the_separation():
    ratings, truth = roe_metz_ratings(RoeMetz(1.5, 0, 0), 1, 20_000, 20_000, np.random.default_rng(0))
    assert ratings[0, 0, ~truth].var() == pytest.approx(1, abs=0.03)
    assert ratings[0, 0, truth].mean() - ratings[0, 0, ~truth].mean() == pytest.approx(1.5, abs=0.03)


def test_pooled_mean_of_readers_is_the_t_test_of_the_means_of_cases():
    from scipy.stats import ttest_1samp

    answers = correlated_answers(3, 25, 0.2, np.random.default_rng(3))
    value, low, high, df, p = mean_against(proportion_figures(answers[None]), 0.5, "cases")
    expected = ttest_1samp(answers.mean(0), 0.5)
    assert (value, df) == pytest.approx((answers.mean(), 24))
    assert p == pytest.approx(expected.pvalue)
    assert (low, high) == pytest.approx(tuple(expected.confidence_interval()))


def test_equivalence_of_the_pooled_mean_passes_with_many_cases_only():
    rng = np.random.default_rng(4)
    few, many = (proportion_figures(correlated_answers(2, n, 0.1, rng)[None]) for n in (20, 600))
    assert not mean_equivalence(few, 0.1, 0.5, "cases").equivalent
    assert mean_equivalence(many, 0.1, 0.5, "cases").equivalent


def test_readers_who_agree_by_chance_do_not_shrink_the_error_below_that_of_the_cases():
    rng = np.random.default_rng(0)
    answers = np.array([[rng.permutation(np.arange(40) % 2) for _ in range(4)]])
    figures = proportion_figures(answers)
    assert mean_error(figures, "readers and cases") == mean_error(figures, "cases")
    assert mean_error(figures, "cases")[1] > 0.02


def test_readers_who_are_always_right_leave_no_error_to_estimate():
    perfect = proportion_figures(np.ones((1, 2, 20)))
    assert mean_against(perfect, 0.5, "cases")[-1] is None
    assert mean_equivalence(perfect, 0.1, 0.5, "cases") is None
    assert bootstrap_mean(np.ones(20), 0).low is None
