import sqlite3

import pytest

from napari_vol2vol.study.store import Store, StoreError, count_answers

DESIGN = "d" * 64


@pytest.fixture
def path(tmp_path):
    return tmp_path / "answers" / "R1.sqlite"


def filled(path, count=3):
    with Store.open(path, "R1", DESIGN) as store:
        for n in range(count):
            store.append("shown", {"load_seconds": None}, f"t{n}")
            store.append("answer", {"question": "which", "value": "left"}, f"t{n}", answers="which")


def tampered(path, statement):
    connection = sqlite3.connect(path)
    triggers = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for (trigger,) in triggers:
        connection.execute(f"DROP TRIGGER {trigger}")
    connection.execute(statement)
    connection.commit()
    connection.close()


def test_every_commit_is_full_and_the_journal_is_written_ahead(path):
    with Store.open(path, "R1", DESIGN) as store:
        assert store._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert store._connection.execute("PRAGMA synchronous").fetchone() == (2,)


def test_a_log_verifies_and_its_head_is_its_last_hash(path):
    filled(path)
    with Store.read(path) as store:
        verified, events = store.verify(), store.events()
    assert (verified.reader, verified.events, verified.answers) == ("R1", 6, 3)
    assert verified.head == events[-1].hash
    assert [e.previous for e in events[1:]] == [e.hash for e in events[:-1]]
    assert count_answers(path) == 3


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        (
            "UPDATE events SET body = replace(body, 'left', 'right') WHERE seq = 4",
            "event 4: found an altered",
        ),
        ("UPDATE events SET at = '2020-01-01' WHERE seq = 2", "event 2: found an altered"),
        ("DELETE FROM events WHERE seq = 3", "event 3: found an altered or missing"),
        ("UPDATE meta SET value = 'R2' WHERE key = 'reader'", "event 1: found an altered"),
        ("DELETE FROM answers WHERE trial = 't1'", "do not agree with the log"),
        ("INSERT INTO answers VALUES ('t9', 'which', 1)", "do not agree with the log"),
    ],
)
def test_any_alteration_is_found(path, statement, words):
    filled(path)
    tampered(path, statement)
    with Store.read(path) as store, pytest.raises(StoreError, match=words):
        store.verify()


@pytest.mark.parametrize(
    "statement", ["UPDATE events SET kind = 'x'", "DELETE FROM answers", "DELETE FROM meta"]
)
def test_the_file_itself_refuses_changes(path, statement):
    filled(path)
    connection = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        connection.execute(statement)
    connection.close()


def test_a_second_answer_is_refused_and_leaves_no_trace(path):
    filled(path, 1)
    with Store.open(path, "R1", DESIGN) as store:
        with pytest.raises(StoreError, match="found an answer already"):
            store.append("answer", {"question": "which", "value": "right"}, "t0", answers="which")
        assert store.verify().events == 2
        store.append("closed", {})
        assert store.verify().events == 3


def test_readings_of_another_design_or_reader_are_refused(path):
    filled(path)
    with pytest.raises(StoreError, match="design_sha256: found 'ddd"):
        Store.open(path, "R1", "e" * 64)
    with pytest.raises(StoreError, match="reader: found 'R1', accepted is 'R2'"):
        Store.open(path, "R2", DESIGN)


def test_a_file_that_is_no_database_is_told_so(path):
    path.parent.mkdir()
    path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(StoreError, match="could not be read or written"):
        Store.open(path, "R1", DESIGN)
