import numpy as np
import pytest

from napari_vol2vol.study.statistics.grading import grading_area, grading_curve, visual_grading
from napari_vol2vol.study.statistics.paired import cochran_q, mcnemar
from napari_vol2vol.study.statistics.ranking import bradley_terry


def test_mcnemar_is_the_binomial_test_of_the_discordant_cases():
    one, other = [True] * 9 + [False] * 3 + [True] * 8, [False] * 9 + [True] * 3 + [True] * 8
    found = mcnemar(one, other)
    assert found.counts == (9, 3)
    assert found.p == pytest.approx(2 * sum([220, 66, 12, 1]) / 2**12)


def test_cochrans_q_of_two_conditions_is_mcnemars_chi_squared():
    table = np.array([[1, 0]] * 10 + [[0, 1]] * 4 + [[1, 1]] * 6)
    assert cochran_q(table).statistic == pytest.approx((10 - 4) ** 2 / 14)


def test_cochrans_q_without_any_difference_is_not_defined():
    assert cochran_q([[1, 1], [0, 0]]) is None


def test_equal_grades_have_area_one_half_and_no_evidence():
    grades = np.array([[1, 2, 3, 4, 5, 3, 2, 4]])
    found = visual_grading(grades, grades, seed=0)
    assert found.area.value == 0.5
    assert found.p == 1.0


def test_better_grades_in_every_case_are_found():
    one = np.array([[2, 2, 3, 1, 2, 3, 2, 1, 2, 3]] * 2)
    found = visual_grading(one, one + 2, seed=0)
    assert found.area.value == pytest.approx(grading_area(one, one + 2))
    assert found.area.low > 0.5
    # all ten cases swapped or none: 2 of 2^10 arrangements
    assert found.p == pytest.approx(2 / 1024, abs=2e-3)


def test_the_area_is_that_under_the_curve():
    rng = np.random.default_rng(0)
    one, other = rng.integers(1, 6, (3, 20)), rng.integers(2, 6, (3, 20))
    x, y = grading_curve(one, other)
    assert np.trapezoid(y, x) == pytest.approx(grading_area(one, other))


def test_strengths_of_two_arms_are_the_log_odds_of_winning():
    rankings = [(case, ("new", "old") if case < 30 else ("old", "new")) for case in range(40)]
    new, old = bradley_terry(rankings, seed=0, resamples=50)
    assert (new.arm, new.wins, new.losses) == ("new", 30, 10)
    assert new.log_strength - old.log_strength == pytest.approx(np.log(3), abs=1e-6)
    assert new.low < new.log_strength < new.high


def test_strengths_of_three_arms_make_expected_wins_equal_to_those_found():
    orders = [("a", "b", "c")] * 5 + [("b", "a", "c")] * 3 + [("c", "b", "a")] * 2 + [("a", "c", "b")] * 2
    found = {s.arm: s for s in bradley_terry(list(enumerate(orders)), seed=0, resamples=20)}
    for arm, strength in found.items():
        expected = sum(
            12 / (1 + np.exp(other.log_strength - strength.log_strength))
            for name, other in found.items()
            if name != arm
        )
        assert expected == pytest.approx(strength.wins, abs=1e-4)


def test_an_arm_that_always_wins_has_no_finite_strength():
    assert bradley_terry([(1, ("a", "b")), (2, ("a", "b"))], seed=0) is None
