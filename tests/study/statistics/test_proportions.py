import pytest

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.study.statistics.proportions import exact_equivalence, exact_proportion


@pytest.mark.parametrize(
    ("k", "p", "low", "high"),
    [
        (14, 0.115, 0.457, 0.881), (15, 0.041, 0.509, 0.913), (16, 0.012, 0.563, 0.943),
        (18, 0.0004, 0.683, 0.988), (20, 2e-6, 0.832, 1.0),
    ],
)  # fmt: skip
def test_exact_interval_and_p_of_k_of_20_are_those_of_the_literature(k, p, low, high):
    found = exact_proportion(k, 20)
    assert found.value == k / 20
    assert found.p == pytest.approx(p, rel=0.05)
    assert (found.low, found.high) == pytest.approx((low, high), abs=6e-4)


def test_the_p_value_and_the_interval_come_from_the_binomial_tails():
    found = exact_proportion(17, 20)
    assert found.p == pytest.approx(2 * (1140 + 190 + 20 + 1) / 2**20)


def test_equivalence_passes_where_both_one_sided_tests_do_and_the_interval_lies_in_the_margin():
    close, far = exact_equivalence(50, 100, 0.15), exact_equivalence(60, 100, 0.15)
    assert close.equivalent
    assert 0.35 < close.low < close.high < 0.65
    assert not far.equivalent
    assert far.high > 0.65
    assert far.p == far.p_upper


def test_equivalence_is_symmetric_in_right_and_wrong():
    one, other = exact_equivalence(43, 100, 0.1), exact_equivalence(57, 100, 0.1)
    assert one.p_lower == pytest.approx(other.p_upper)
    assert one.p_upper == pytest.approx(other.p_lower)


def test_twenty_trials_at_chance_show_no_equivalence_at_ten_points():
    assert not exact_equivalence(10, 20, 0.1).equivalent


@pytest.mark.parametrize(("k", "n"), [(3, 2), (-1, 4), (0, 0)])
def test_impossible_counts_are_refused(k, n):
    with pytest.raises(SettingsError, match=f"found {k} of {n}"):
        exact_proportion(k, n)


def test_a_margin_beyond_certainty_is_refused():
    with pytest.raises(SettingsError, match=r"margin: found 0\.6"):
        exact_equivalence(10, 20, 0.6)
