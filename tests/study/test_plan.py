import itertools
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from napari_vol2vol.study.counterbalance import anchor_and_rotate, balanced_sides, spread, williams_square
from napari_vol2vol.study.design import Allocation, Block, Item, Reader, Study
from napari_vol2vol.study.plan import draw_codes, plan, washout_blocks
from study.small_studies import IS_IT, PAIR, WHICH


def big_study(readers=4, cases=20, **more):
    """A study without files: planning opens none."""
    from napari_vol2vol.study.design import Arm, Case, VolumeFile

    files = {arm: VolumeFile(f"{arm}.nii") for arm in PAIR}
    names = [f"c{n}" for n in range(cases)]
    train = Item("extra", PAIR)
    pairs = Block("pairs", tuple(Item(n, PAIR) for n in names), ("which",), training=(train,), repeats=4)
    singles = Block("singles", tuple(Item(n, (arm,)) for n in names for arm in PAIR), ("is-it",))
    return Study(
        "big", (Arm("real"), Arm("generated", generated=True)),
        tuple(Case(n, files) for n in [*names, "extra"]), tuple(Reader(f"R{n}") for n in range(readers)),
        (WHICH, IS_IT), (pairs, singles), **more,
    )  # fmt: skip


def planned(study):
    codes = draw_codes(study)
    return plan(study, codes), {code: key for key, code in codes.items()}


def test_a_seed_gives_one_plan_and_another_seed_another():
    one, same, other = (planned(big_study(seed=s))[0] for s in (1, 1, 2))
    assert one == same
    assert one != other


def test_a_further_reader_changes_nothing_for_those_before():
    three, four = planned(big_study(3))[0], planned(big_study(4))[0]
    assert all(three[reader] == four[reader] for reader in three)


def test_sides_are_balanced_for_every_reader_and_role():
    trials, arms = planned(big_study())
    for own in trials.values():
        for role in ("test", "repeat"):
            pairs = [t for t in own if t.block == "pairs" and t.role == role]
            left = sum(arms[t.volumes[0]][1] == "generated" for t in pairs)
            assert 2 * left == len(pairs)


def test_everybody_reads_everything_once_training_first_and_repeats_late():
    trials, arms = planned(big_study())
    for own in trials.values():
        pairs = [t for t in own if t.block == "pairs"]
        assert next(t.role for t in pairs) == "training"
        assert Counter(t.role for t in pairs) == {"training": 1, "test": 20, "repeat": 4}
        assert {arms[t.volumes[0]][0] for t in pairs if t.role == "test"} == {f"c{n}" for n in range(20)}
        first = {frozenset(t.volumes): n for n, t in enumerate(pairs) if t.role == "test"}
        for place, trial in enumerate(pairs):
            if trial.role == "repeat":
                assert place > first[frozenset(trial.volumes)]
                assert place > len(pairs) // 3


def test_feedback_is_in_training_only_and_right():
    trials, arms = planned(big_study())
    for trial in (t for own in trials.values() for t in own):
        if trial.role != "training":
            assert not trial.feedback
        else:
            side = "left" if arms[trial.volumes[0]][1] == "generated" else "right"
            assert trial.feedback == {"which": side}


def test_codes_on_the_screen_are_unique_and_say_nothing_of_the_file():
    trials, arms = planned(big_study())
    for own in trials.values():
        shown = [t.code for t in own]
        assert len(set(shown)) == len(shown)
        assert not set(shown) & set(arms)


def test_no_case_comes_twice_in_a_row_among_singles():
    trials, arms = planned(big_study())
    for own in trials.values():
        cases = [arms[t.volumes[0]][0] for t in own if t.block == "singles"]
        assert all(a != b for a, b in itertools.pairwise(cases))


def test_blocks_are_counterbalanced_over_readers():
    trials, _ = planned(big_study(4))
    first = Counter(own[0].block for own in trials.values())
    assert first == {"pairs": 2, "singles": 2}
    fixed, _ = planned(big_study(4, counterbalance=False))
    assert {own[0].block for own in fixed.values()} == {"pairs"}


@pytest.mark.parametrize("count", [2, 3, 4, 5, 6, 7])
def test_williams_squares_balance_places_and_neighbours(count):
    square = williams_square(count)
    places = Counter((place, block) for row in square for place, block in enumerate(row))
    neighbours = Counter(pair for row in square for pair in itertools.pairwise(row))
    assert len(set(places.values())) == 1
    assert len(neighbours) == count * (count - 1)
    assert len(set(neighbours.values())) == 1


def test_anchors_are_read_by_all_and_the_others_rotate_evenly():
    rng = np.random.default_rng(0)
    found = anchor_and_rotate(range(100), 6, 40, 10, rng)
    counts = Counter(thing for own in found for thing in own)
    assert [len(set(own)) for own in found] == [40] * 6
    assert sum(n == 6 for n in counts.values()) == 10
    assert set(counts.values()) == {2, 6}
    assert len(counts) == 100


def test_a_plan_follows_the_allocation():
    study = big_study(3, allocation=Allocation(8, 2))
    study = replace(study, blocks=tuple(replace(b, repeats=0) for b in study.blocks))
    trials, arms = planned(study)
    read = [
        {arms[t.volumes[0]][0] for t in own if t.block == "pairs" and t.role == "test"}
        for own in trials.values()
    ]
    assert [len(cases) for cases in read] == [8, 8, 8]
    assert len(set.intersection(*read)) == 2
    assert len(set.union(*read)) == 20


def test_odd_numbers_of_pairs_are_balanced_to_one():
    rng = np.random.default_rng(0)
    assert {sum(balanced_sides(7, rng)) for _ in range(50)} == {3, 4}


def test_spreading_keeps_order_and_the_first_half():
    found = spread([*"abcdef"], [*"XY"], np.random.default_rng(0))
    assert found[:3] == [*"abc"]
    assert [c for c in found if c.islower()] == [*"abcdef"]
    assert {*found} - {*"abcdef"} == {"X", "Y"}


def test_blocks_that_share_a_case_need_a_washout():
    assert washout_blocks(big_study()) == (("pairs", "singles"),)
