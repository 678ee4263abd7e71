import numpy as np
import pytest

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.study.statistics.agreement import (
    cohen_kappa,
    fleiss_kappa,
    gwet_ac1,
    intraclass_correlations,
    krippendorff_alpha,
)

# Shrout and Fleiss, Psychol. Bull. 86 (1979) 420, table 2
SHROUT_FLEISS = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
)
# Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), example C
KRIPPENDORFF = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
    [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
]
# Fleiss, Psychol. Bull. 76 (1971) 378, as worked out in Wikipedia "Fleiss' kappa"
FLEISS = [
    (0, 0, 0, 0, 14), (0, 2, 6, 4, 2), (0, 0, 3, 5, 6), (0, 3, 9, 2, 0), (2, 2, 8, 1, 1), (7, 7, 0, 0, 0),
    (3, 2, 6, 3, 0), (2, 5, 3, 2, 2), (6, 5, 2, 1, 0), (0, 2, 2, 3, 7),
]  # fmt: skip


def answers_of(table):
    """Two readers' answers from a 2 x 2 table a, b, c, d."""
    a, b, c, d = table
    return ["yes"] * (a + b) + ["no"] * (c + d), ["yes"] * a + ["no"] * b + ["yes"] * c + ["no"] * d


def test_kappa_and_ac1_of_gwets_paradox_table():
    one, other = answers_of((130, 56, 9, 5))
    kappa = cohen_kappa(one, other)
    assert kappa.value == pytest.approx(0.022, abs=5e-4)
    assert kappa.agreement == pytest.approx(0.675)
    assert kappa.low < kappa.value < kappa.high
    assert gwet_ac1([one, other]) == pytest.approx(0.533, abs=5e-4)


def test_krippendorffs_alpha_of_his_own_example_with_missing_answers():
    assert krippendorff_alpha(KRIPPENDORFF) == pytest.approx(0.743, abs=5e-4)
    assert krippendorff_alpha(KRIPPENDORFF, "interval") == pytest.approx(0.849, abs=5e-4)


def test_kappa_of_fleiss_own_kind_of_table():
    cases = [[label for label, count in enumerate(row) for _ in range(count)] for row in FLEISS]
    assert fleiss_kappa(list(zip(*cases, strict=True))) == pytest.approx(0.210, abs=5e-4)


def test_intraclass_correlations_of_shrout_and_fleiss():
    found = intraclass_correlations(SHROUT_FLEISS)
    values = [
        found[f].value for f in ("ICC(1,1)", "ICC(2,1)", "ICC(3,1)", "ICC(1,k)", "ICC(2,k)", "ICC(3,k)")
    ]
    assert values == pytest.approx([0.166, 0.290, 0.715, 0.443, 0.620, 0.909], abs=5e-4)


def test_intervals_of_intraclass_correlations_are_those_of_the_r_package_psych():
    found = intraclass_correlations(SHROUT_FLEISS)
    ends = [(found[f].low, found[f].high) for f in ("ICC(1,1)", "ICC(2,1)", "ICC(3,1)")]
    printed = [(-0.133, 0.72), (0.019, 0.76), (0.342, 0.95)]
    for end, wanted in zip(ends, printed, strict=True):
        assert end == pytest.approx(wanted, abs=5e-3)


def test_perfect_agreement_is_one_by_every_measure():
    answers = [["yes", "no", "yes", "no"]] * 3
    assert fleiss_kappa(answers) == pytest.approx(1)
    assert krippendorff_alpha(answers) == pytest.approx(1)
    assert gwet_ac1(answers) == pytest.approx(1)
    assert cohen_kappa(*answers[:2]).value == pytest.approx(1)


def test_one_answer_throughout_has_no_chance_corrected_agreement():
    same = [["yes"] * 5] * 2
    assert (cohen_kappa(*same), fleiss_kappa(same), krippendorff_alpha(same), gwet_ac1(same)) == (None,) * 4


def test_readers_of_other_cases_are_refused():
    with pytest.raises(SettingsError, match="same cases"):
        gwet_ac1([["yes"], ["yes", "no"]])
