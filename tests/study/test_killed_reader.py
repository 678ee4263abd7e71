import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from napari_vol2vol.study.reading_set import read_reading_set
from napari_vol2vol.study.session import ReadingSession
from napari_vol2vol.study.store import Store, answer_file, has_readings
from study.small_studies import write_reading_set

KILLS = 50
TRIALS = 3_000


def killed_at(folder, seconds, reading):
    """Start the reader, kill it after a time, return the trials that it told to have committed.

    With ``reading`` the time counts from its first answer, else from its start.
    """
    command = [sys.executable, str(Path(__file__).with_name("reader_process.py")), str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    first = process.stdout.readline() if reading else ""
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    told, _ = process.communicate()
    return (first + told).split("\n")[:-1]


def test_fifty_kills_lose_no_answer_double_none_and_resume_at_the_right_trial(tmp_path):
    plan = write_reading_set(tmp_path / "reading", TRIALS)
    random.seed(8)
    told, progressed = [], 0
    for kill in range(KILLS):
        reading = bool(kill % 2)
        told += killed_at(tmp_path / "reading", random.uniform(0, 0.1 if reading else 0.3), reading)
        path = answer_file(tmp_path / "reading", "R1")
        if not path.exists() or not has_readings(path):
            assert not told
            continue
        with Store.read(path) as store:
            verified = store.verify()
            answered = [event.trial for event in store.events("answer")]
        assert verified.answers == len(answered)
        assert answered == [trial.id for trial in plan[: len(answered)]], "in order, none lost, none doubled"
        # a commit may be on disk although the process was killed before it could tell
        unseen = [trial for trial in answered if trial not in set(told)]
        assert set(told) <= set(answered)
        assert len(answered) >= progressed
        progressed = len(answered)
        told += unseen
    assert progressed > KILLS, "the reader got somewhere between the kills"
    with ReadingSession(tmp_path / "reading", "R1") as session:
        assert session.trial == plan[progressed]
        assert session.progress.done == progressed


def test_a_choice_that_was_committed_survives_the_kill_before_its_confidence(tmp_path):
    plan = write_reading_set(tmp_path / "reading", 3)
    first = ReadingSession(tmp_path / "reading", "R1")
    first.shown()
    first.choose("right")
    first._store._connection.close()  # gone without a word
    with ReadingSession(tmp_path / "reading", "R1") as session:
        assert session.trial == plan[0]
        assert session.choice == "right"
        session.answer(confidence=2)
        assert session.trial == plan[1]
    assert len(read_reading_set(tmp_path / "reading").trials("R1")) == 3
