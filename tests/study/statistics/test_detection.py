import pytest
from scipy.stats import norm

from napari_vol2vol.study.statistics.detection import two_alternative, yes_no


def test_d_prime_of_yes_no_is_the_difference_of_two_quantiles():
    found = yes_no(80, 100, 30, 100)
    assert found.d_prime == pytest.approx(0.8416 + 0.5244, abs=1e-4)
    assert found.criterion == pytest.approx((0.5244 - 0.8416) / 2, abs=1e-4)
    assert not found.corrected


def test_perfect_answers_get_the_log_linear_rule_in_all_cells():
    found = yes_no(10, 10, 0, 10)
    assert found.corrected
    assert found.d_prime == pytest.approx(2 * norm.ppf(10.5 / 11))
    assert found.criterion == pytest.approx(0)


def test_d_prime_of_two_alternatives_is_root_two_z_of_the_proportion_correct():
    found = two_alternative(75, 100, 25, 100)
    assert found.d_prime == pytest.approx(2**0.5 * norm.ppf(0.75))


def test_a_reader_who_always_says_left_has_no_sensitivity_but_a_preference():
    found = two_alternative(10, 10, 10, 10)
    assert found.d_prime == pytest.approx(0)
    assert found.criterion < -1
