from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.study.design import WindowPolicy
from napari_vol2vol.study.questions import Answer, Mark, Question, checked_answer
from napari_vol2vol.study.reading_set import read_reading_set
from napari_vol2vol.study.session import ReadingSession
from napari_vol2vol.study.stopwatch import Stopwatch
from napari_vol2vol.study.store import Store, StoreError, answer_file
from napari_vol2vol.study.washout import washout_warning
from study.small_studies import frozen, truth_of, write_reading_set


class Clock:
    """A clock that stands until it is told to go on."""

    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return frozen(tmp_path_factory.mktemp("study"), pairs=4, singles=2, readers=("R1",), washout_days=7.0)


@pytest.fixture
def study(made, tmp_path):
    """A copy of the frozen study that no test has read yet."""
    import shutil

    from napari_vol2vol.study.folder import StudyFolder

    shutil.copytree(made.path, tmp_path / "study")
    return StudyFolder(tmp_path / "study")


@pytest.fixture
def session(study):
    with ReadingSession(study.reading, "R1", Clock()) as session:
        yield session


def test_a_session_goes_through_the_plan_and_ends(study, session):
    plan = session.trials
    for number, trial in enumerate(plan):
        assert session.trial == trial
        assert session.progress.done == number
        session.shown()
        session.answer(truth_of(study, session), 4)
    assert session.finished
    assert session.question is None
    with pytest.raises(SettingsError, match="everything is answered"):
        session.answer("left", 1)


def test_training_tells_right_or_wrong_and_tests_do_not(study, session):
    while session.trial.role != "training":
        assert session.answer(truth_of(study, session), 3) is None
    wrong = {"left": "right", "right": "left"}[truth_of(study, session)]
    feedback = session.answer(wrong, 3)
    assert (feedback["right"], feedback["correct"]) == ({"left": "right", "right": "left"}[wrong], False)


def test_an_answer_that_the_question_does_not_accept_keeps_the_trial_open(session):
    trial = session.trial
    for value, confidence, words in (("maybe", 3, "found 'maybe'"), (None, 3, "found None"),
                                     (_value(session), 9, "accepted are whole numbers 1 to 5"),
                                     (_value(session), None, "confidence: found None")):  # fmt: skip
        with pytest.raises(SettingsError, match=words):
            session.answer(value, confidence)
    assert session.trial == trial
    assert session.progress.done == 0


def _value(session):
    return "left" if session.question.kind == "2afc" else "yes"


def test_a_second_sitting_resumes_on_the_exact_trial(study):
    with ReadingSession(study.reading, "R1") as first:
        first.shown()
        first.answer(_value(first), 2)
        first.shown()
        expected = first.trial
    with ReadingSession(study.reading, "R1") as second:
        assert second.trial == expected
        assert second.progress.done == 1


def test_response_time_leaves_out_pauses_and_time_in_other_windows(session):
    clock = session._watch._clock
    session.shown()
    clock.now += 3
    session.focus(False)
    clock.now += 100
    session.pause()
    session.focus(True)
    clock.now += 100
    session.resume()
    clock.now += 2
    session.choose(_value(session))
    clock.now += 1
    trial = session.trial.id
    session.answer(confidence=1)
    (event,) = session._store.events("answer", trial)
    assert (event.body["choice_seconds"], event.body["seconds"]) == (5.0, 6.0)


def test_a_stopwatch_that_starts_while_held_stands():
    clock = Clock()
    watch = Stopwatch(clock)
    watch.hold("focus")
    watch.start()
    clock.now += 5
    assert (watch.seconds, watch.held) == (0.0, True)
    watch.release("focus")
    clock.now += 2
    assert watch.seconds == 2.0


def test_slices_looked_at_are_written_with_the_answer_and_start_anew(session):
    session.shown()
    for index in (4, 5, 6, 9, 5):
        session.visit(0, "axial", index)
    session.visit(1, "coronal", 2)
    trial = session.trial.id
    session.answer(_value(session), 1)
    (event,) = session._store.events("answer", trial)
    assert event.body["slices"] == [
        {"position": 0, "plane": "axial", "count": 4, "ranges": [[4, 6], [9, 9]]},
        {"position": 1, "plane": "coronal", "count": 1, "ranges": [[2, 2]]},
    ]
    session.shown()
    trial = session.trial.id
    session.answer(_value(session), 1)
    assert session._store.events("answer", trial)[0].body["slices"] == []


def test_the_last_choice_counts(session):
    session.shown()
    values = ("left", "right") if session.question.kind == "2afc" else ("yes", "no")
    session.choose(values[0])
    session.choose(values[1])
    trial = session.trial.id
    session.answer(confidence=5)
    assert session._store.events("answer", trial)[0].body["value"] == values[1]


def test_window_changes_are_logged_or_refused(study, session):
    session.set_window(400, 40)
    assert session._store.events("window")[0].body == {"width": 400, "level": 40}
    path = study.reading / "reading.json"
    path.write_text(path.read_text().replace('"locked": false', '"locked": true'))
    with (
        ReadingSession(study.reading, "R1") as locked,
        pytest.raises(SettingsError, match="this study locks it"),
    ):
        locked.set_window(400, 40)


def test_files_are_loaded_only_as_frozen(study, session):
    (first, *_), ahead = session.files(), session.upcoming(2)
    volume = session.load(first)
    assert volume.name == first.stem
    assert set(ahead) == {
        p for t in session.trials[1:3] for p in [first.with_name(f"{c}.nii") for c in t.volumes]
    }
    with pytest.raises(StoreError, match="not part of this study"):
        session.load(study.path / "volumes" / "c00-0.nii")
    first.write_bytes(first.read_bytes()[:-2] + b"xx")
    with pytest.raises(StoreError, match="sha256"):
        session.load(first)


def test_windows_are_pooled_over_a_pair_or_taken_from_the_preset(session):
    from napari_vol2vol.study.blinded_volume import window_limits
    from napari_vol2vol.volume import Volume

    dark, bright = (Volume.from_array(np.full((2, 2, 2), v) + np.arange(2)) for v in (0.0, 100.0))
    assert window_limits(WindowPolicy("abdomen"), [dark]) == (-160, 240)
    assert window_limits(WindowPolicy(percentiles=(0.0, 100.0)), [dark, bright]) == (0, 101)
    assert session.window_limits([dark]) == window_limits(session.set.window, [dark])


def test_altered_readings_are_not_continued(study):
    import sqlite3

    with ReadingSession(study.reading, "R1") as session:
        session.shown()
    connection = sqlite3.connect(answer_file(study.reading, "R1"))
    connection.execute("DROP TRIGGER no_update_events")
    connection.execute("UPDATE events SET body = '{}' WHERE seq = 1")
    connection.commit()
    connection.close()
    with pytest.raises(StoreError, match="event 1: found an altered"):
        ReadingSession(study.reading, "R1")


def test_an_unknown_reader_is_told_who_is_known(study):
    with pytest.raises(SettingsError, match="reader: found 'R9', accepted are R1"):
        ReadingSession(study.reading, "R9")


def test_a_washout_that_is_not_over_warns(tmp_path):
    plan = write_reading_set(tmp_path / "reading", 2)
    trials = (plan[0], replace(plan[1], block="singles"))
    study = replace(
        read_reading_set(tmp_path / "reading"), washout_days=14.0, washout_blocks=(("pairs", "singles"),)
    )
    with Store.open(tmp_path / "R1.sqlite", "R1", "0" * 64) as store:
        event = store.append("answer", {"question": "which"}, plan[0].id, answers="which")
    soon, late = (datetime.now(UTC) + timedelta(days=d) for d in (3, 15))
    assert "the study plans 14 days" in washout_warning(study, trials, [event], "singles", soon)
    assert washout_warning(study, trials, [event], "singles", late) is None
    assert washout_warning(study, trials, [event], "pairs", soon) is None


GRADING = Question("grade", "grading", "Grade it", criteria=("noise", "edges"))
RANKING = Question("rank", "ranking", "Rank them")
TEXT = Question("why", "text", "Why?", optional=True)
MARKED = Question("rate", "rating", "How sure?", scale=(1, 6), mark=True)


@pytest.mark.parametrize(
    ("question", "answer", "kept"),
    [
        (GRADING, Answer({"noise": 2, "edges": 5}), {"value": {"noise": 2, "edges": 5}}),
        (RANKING, Answer([2, 0, 1]), {"value": [2, 0, 1]}),
        (TEXT, Answer("too smooth"), {"value": "too smooth"}),
        (TEXT, Answer(None), {"value": None}),
        (MARKED, Answer(6, mark=Mark(0, (1.0, 2.0, 3.0))),
         {"value": 6, "mark": {"position": 0, "point_mm": [1.0, 2.0, 3.0]}}),
    ],
)  # fmt: skip
def test_every_kind_of_question_keeps_its_answer(question, answer, kept):
    assert checked_answer(question, answer, 3) == kept


@pytest.mark.parametrize(
    ("question", "answer", "words"),
    [
        (GRADING, Answer({"noise": 2}), "one grade for each of noise, edges"),
        (GRADING, Answer({"noise": 2, "edges": 6}), "edges: found 6"),
        (RANKING, Answer([0, 0, 1]), "every position 0 to 2 once"),
        (TEXT, Answer(3), "accepted is a text"),
        (MARKED, Answer(7), "found 7, accepted are whole numbers 1 to 6"),
        (MARKED, Answer(True), "found True"),
        (MARKED, Answer(3, confidence=2), "this question asks none"),
        (MARKED, Answer(3, mark=Mark(3, (0.0, 0.0, 0.0))), "position 3"),
        (RANKING, Answer([0, 1, 2], mark=Mark(0, (0.0, 0.0, 0.0))), "asks for none"),
    ],
)
def test_every_kind_of_question_says_what_it_accepts(question, answer, words):
    with pytest.raises(SettingsError, match=words):
        checked_answer(question, answer, 3)
