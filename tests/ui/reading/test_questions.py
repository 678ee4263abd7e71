"""Every kind of question is answered with the keyboard alone."""

import pytest
from qtpy.QtCore import Qt

from napari_vol2vol.study.questions import Question
from ui.reading.driver import ENTER, begin, digit, logged, open_window, press, reading_folder, shown

KEY = Qt.Key
MINUS, BACK = KEY.Key_Minus, KEY.Key_Backspace


def keys(*numbers):
    return tuple(digit(n) for n in numbers)


@pytest.mark.parametrize(
    ("question", "pressed", "value", "confidence"),
    [
        (Question("q", "2afc", "?"), (KEY.Key_F, KEY.Key_J, ENTER), "right", None),
        (Question("q", "yes-no", "?", confidence=(1, 6)), (KEY.Key_J, digit(6)), "no", 6),
        (
            Question("q", "yes-no", "?", confidence=(0, 100)),
            (KEY.Key_F, *keys(8, 7), BACK, digit(5), ENTER),
            "yes",
            85,
        ),
        (Question("q", "rating", "?"), (*keys(2, 4), ENTER), 4, None),
        (Question("q", "rating", "?", scale=(0, 100)), (*keys(1, 0, 0, 0), ENTER), 100, None),
        (Question("q", "rating", "?", scale=(-2, 2)), (MINUS, digit(2), ENTER), -2, None),
        (
            Question("q", "grading", "?", criteria=("noise", "edges")),
            (*keys(2, 5), KEY.Key_BracketLeft, digit(3), ENTER),
            {"noise": 3, "edges": 5},
            None,
        ),
        (Question("q", "ranking", "?"), (*keys(1, 2), BACK, BACK, *keys(2, 1), ENTER), [1, 0], None),
        (Question("q", "yes-no", "?", optional=True, confidence=(1, 5)), (KEY.Key_N,), None, None),
    ],
)  # fmt: skip
def test_an_answer_by_keys(qtbot, tmp_path, question, pressed, value, confidence):
    reading = reading_folder(tmp_path / "r", trials=2, questions=(question,))
    window = open_window(qtbot, reading)
    begin(qtbot, window)
    press(window, *pressed[:-1])
    assert logged(reading, "answer") == []
    press(window, pressed[-1])
    (body,) = logged(reading, "answer")
    assert (body["value"], body.get("confidence")) == (value, confidence)
    shown(qtbot, window)
    assert window.trial.bar.code.text() == "CODE1"


def test_an_incomplete_answer_is_not_taken(qtbot, tmp_path):
    questions = (
        Question("grade", "grading", "?", criteria=("noise", "edges")),
        Question("rank", "ranking", "?"),
    )
    reading = reading_folder(tmp_path / "r", questions=questions)
    window = open_window(qtbot, reading)
    begin(qtbot, window)
    press(window, digit(2), ENTER)
    assert logged(reading, "answer") == []
    press(window, digit(2), ENTER, digit(1), ENTER)
    assert [b["question"] for b in logged(reading, "answer")] == ["grade"]


def test_several_questions_are_asked_about_one_case_in_turn(qtbot, tmp_path):
    questions = Question("one", "yes-no", "First?"), Question("two", "rating", "Second?")
    reading = reading_folder(tmp_path / "r", questions=questions)
    window = open_window(qtbot, reading)
    views = begin(qtbot, window)
    press(window, KEY.Key_F, ENTER)
    assert window.trial.panel.question.text() == "Second?"
    assert window.trial.views is views
    press(window, digit(3), ENTER)
    shown(qtbot, window)
    assert window.trial.panel.question.text() == "First?"
    assert len(logged(reading, "shown")) == 2


def test_a_mark_is_kept_in_mm_of_the_volume_it_was_made_in(qtbot, tmp_path):
    reading = reading_folder(tmp_path / "r", questions=(Question("q", "yes-no", "?", mark=True),))
    window = open_window(qtbot, reading)
    views = begin(qtbot, window)
    press(window, KEY.Key_Tab, KEY.Key_Tab, KEY.Key_Tab, KEY.Key_Up, KEY.Key_X)
    assert views.active_position == 1
    assert [c.mark_mm is not None for c in views.canvases] == [False] * 3 + [True] * 3
    press(window, KEY.Key_F, ENTER)
    z, y, x = views.state.point
    assert logged(reading, "answer")[0]["mark"] == {"position": 1, "point_mm": [x, y, z]}
    shown(qtbot, window)
    press(window, KEY.Key_X, KEY.Key_X, KEY.Key_F, ENTER)
    assert "mark" not in logged(reading, "answer")[1]
