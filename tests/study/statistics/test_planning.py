import pytest
from scipy.stats import binomtest

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.study.statistics.planning import (
    equivalence_power,
    equivalence_size,
    superiority_power,
    superiority_size,
)


def test_twenty_pairs_reject_chance_from_15_right_with_power_0_42_at_0_70():
    found = superiority_power(20, 0.70)
    assert (found.rejects_from, found.rejects_to) == (15, 5)
    assert found.power == pytest.approx(0.42, abs=5e-3)


@pytest.mark.parametrize(("margin", "n"), [(0.10, 214), (0.15, 96), (0.20, 53)])
def test_equivalence_needs_214_96_or_53_trials(margin, n):
    assert equivalence_size(margin) == n
    assert equivalence_power(n, margin).power >= 0.8
    assert equivalence_power(n - 1, margin).power < 0.8


def test_twenty_trials_cannot_show_equivalence_at_all():
    found = equivalence_power(20, 0.10)
    assert (found.passes_from, found.passes_to, found.power) == (None, None, 0.0)


@pytest.mark.parametrize(("n", "chance"), [(20, 0.5), (31, 0.5), (24, 1 / 3)])
def test_the_rejection_region_is_that_of_the_exact_test(n, chance):
    found = superiority_power(n, 0.8, chance)
    for k in range(n + 1):
        rejected = binomtest(k, n, chance).pvalue < 0.05
        beyond = (found.rejects_from is not None and k >= found.rejects_from) or (
            found.rejects_to is not None and k <= found.rejects_to
        )
        assert rejected == beyond


def test_power_at_chance_is_the_level_of_the_test():
    assert superiority_power(100, 0.5).power <= 0.05


def test_superiority_size_is_the_fewest_trials_with_the_power():
    n = superiority_size(0.70)
    assert superiority_power(n, 0.70).power >= 0.8
    assert all(superiority_power(m, 0.70).power < 0.8 for m in range(2, n))


def test_a_difference_of_nothing_is_refused():
    with pytest.raises(SettingsError, match="anything but chance"):
        superiority_size(0.5)
