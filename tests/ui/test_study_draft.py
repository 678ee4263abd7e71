from pathlib import Path

import pytest

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.study.check import problems
from napari_vol2vol.study.design import Block, Item, WindowPolicy
from napari_vol2vol.study.questions import Question
from napari_vol2vol.ui.designer.blocks_tab import ranges
from napari_vol2vol.ui.designer.draft import (
    EACH,
    IN_TURN,
    TOGETHER,
    blank,
    chosen_cases,
    items_of,
    paper,
    plain_name,
    with_arm,
    with_block,
    with_file,
    with_folder,
    with_question,
    without_arm,
    without_cases,
)


@pytest.fixture
def study(tmp_path):
    """Six cases with two arms, from two folders of empty files."""
    made = with_arm(blank("a study"), "flow", generated=True)
    for arm in ("real", "flow"):
        folder = tmp_path / arm
        folder.mkdir()
        for n in range(6):
            (folder / f"case {n}.nii.gz").touch()
        made = with_folder(made, folder, arm)
    return made


def test_equal_file_names_of_two_folders_are_one_case(study, tmp_path):
    assert [case.name for case in study.cases] == [f"case-{n}" for n in range(6)]
    assert list(study.cases[0].volumes) == ["real", "flow"]
    assert study.cases[2].volumes["flow"].path == str(tmp_path / "flow" / "case 2.nii.gz")


def test_the_papers_experiments_are_a_study_without_problems(study):
    made = paper(study, 4, 2, ct=True)
    assert [len(block.items) for block in made.blocks] == [4, 2]
    assert made.window.preset == "abdomen"
    assert problems(made) == []
    assert paper(study, 4, 2, ct=False).window == WindowPolicy()


def test_a_window_that_was_set_is_kept(study):
    from dataclasses import replace

    chosen = WindowPolicy(preset="lung", locked=True)
    assert paper(replace(study, window=chosen), 4, 2, ct=True).window == chosen


def test_too_few_cases_are_told(study):
    with pytest.raises(SettingsError, match="cases: found 6, accepted are 40 or more"):
        paper(study, 20, 20, ct=True)


def test_removing_cases_takes_them_out_of_blocks_and_removing_an_arm_its_volumes(study):
    study = with_block(
        study, Block("b", items_of(chosen_cases(study, "all"), ("real", "flow"), TOGETHER), ("q",))
    )
    less = without_cases(study, ["case-1", "case-5"])
    assert [item.case for item in less.blocks[0].items] == ["case-0", "case-2", "case-3", "case-4"]
    single = without_arm(study, "flow")
    assert [a.name for a in single.arms] == ["real"]
    assert all(list(case.volumes) == ["real"] for case in single.cases)


def test_a_second_entry_of_a_name_replaces_the_first_in_its_place(study):
    first, second = Question("a", "yes-no", "?"), Question("b", "yes-no", "?")
    study = with_question(with_question(study, first), second)
    study = with_question(study, Question("a", "rating", "how?"))
    assert [(q.name, q.kind) for q in study.questions] == [("a", "rating"), ("b", "yes-no")]
    study = with_file(study, "case-3", "flow", "new.nii")
    assert [case.name for case in study.cases] == [f"case-{n}" for n in range(6)]
    assert study.cases[3].volumes["flow"].path == "new.nii"


def test_cases_are_chosen_by_numbers_and_ranges(study):
    assert chosen_cases(study, "1-2, 6, 2") == ["case-0", "case-1", "case-5"]
    assert ranges([1, 2, 3, 6]) == "1-3, 6"
    for text in ("0-2", "3-9", "x", "3-1"):
        with pytest.raises(SettingsError, match="accepted are numbers and ranges from 1 to 6"):
            chosen_cases(study, text)


def test_cases_are_shown_together_in_turn_or_each():
    assert items_of(["a", "b"], ("r", "g"), TOGETHER) == (Item("a", ("r", "g")), Item("b", ("r", "g")))
    assert [i.arms for i in items_of(["a", "b", "c"], ("r", "g"), IN_TURN)] == [("r",), ("g",), ("r",)]
    assert len(items_of(["a", "b"], ("r", "g"), EACH)) == 4


def test_mistakes_are_told(study, tmp_path):
    with pytest.raises(SettingsError, match="arm: found 'new', accepted are real, flow"):
        with_file(study, "x", "new", "x.nii")
    with pytest.raises(SettingsError, match="found no NIfTI file"):
        with_folder(study, tmp_path, "real")
    with pytest.raises(SettingsError, match="needs `positive`"):
        with_question(study, Question("q", "2afc", "?"))
    (tmp_path / "double").mkdir()
    for name in ("a b.nii", "a-b.nii"):
        (tmp_path / "double" / name).touch()
    with pytest.raises(SettingsError, match="that would be one case"):
        with_folder(study, Path(tmp_path / "double"), "real")


def test_any_text_becomes_a_name():
    assert plain_name("Müller, 3rd scan.v2") == "M-ller-3rd-scan-v2"
    assert plain_name("...") == "x"
    assert len(plain_name("a" * 100)) == 60
