"""Readings on disk: one SQLite file a reader, an append-only hash-chained log, answers committed at once.

Standard library only, so that a reading window opens it in a moment. Every event carries the sha256 of the
one before it; the first follows from study and reader. A commit is on disk before the call returns (WAL with
``synchronous=FULL``), so a killed process loses nothing that was answered.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from napari_vol2vol.errors import SettingsError, StoreError
from napari_vol2vol.study.json_fields import canonical

VERSION = 1
ANSWERS = "answers"
_BUSY_MS = 5000
_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE events (seq INTEGER PRIMARY KEY, at TEXT NOT NULL, kind TEXT NOT NULL, trial TEXT,
    body TEXT NOT NULL, previous TEXT NOT NULL, hash TEXT NOT NULL UNIQUE);
CREATE TABLE answers (trial TEXT NOT NULL, question TEXT NOT NULL,
    seq INTEGER NOT NULL UNIQUE REFERENCES events(seq), PRIMARY KEY (trial, question)) WITHOUT ROWID;
"""
_TABLES = ("meta", "events", "answers")


@dataclass(frozen=True)
class Event:
    """One line of the log; ``at`` is UTC in ISO 8601 with milliseconds."""

    seq: int
    at: str
    kind: str
    trial: str | None
    body: Mapping[str, Any]
    previous: str
    hash: str


@dataclass(frozen=True)
class Verified:
    """A log whose every hash was computed anew: how much it holds, and the hash of its last event."""

    reader: str
    design_sha256: str
    events: int
    answers: int
    head: str


def answer_files(reading: Path) -> list[Path]:
    """Return the readings in a reading folder, sorted by name; see `has_readings`."""
    return [path for path in sorted((reading / ANSWERS).glob("*.sqlite")) if has_readings(path)]


def has_readings(path: Path) -> bool:
    """Whether a file was ever begun: a process killed before its first commit leaves an empty one.

    Raises
    ------
    StoreError
        If the file is no database.
    """
    with _told(path), closing(_connect(path, "ro")) as connection:
        return connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone() is not None


def answer_file(reading: Path, reader: str) -> Path:
    """Return where the readings of a reader lie."""
    return reading / ANSWERS / f"{reader}.sqlite"


def count_answers(path: Path) -> int:
    """Return how many answers a file of readings holds; `StoreError` where it cannot be read."""
    with _told(path), closing(_connect(path, "ro")) as connection:
        return int(connection.execute("SELECT COUNT(*) FROM answers").fetchone()[0])


class Store:
    """The readings of one reader. Use `Store.open` to write, `Store.read` to look."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

    @classmethod
    def open(cls, path: Path, reader: str, design_sha256: str) -> Self:
        """Open the readings for writing; make them where there are none.

        Raises
        ------
        StoreError
            If they belong to another reader or design, or cannot be written.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        with _told(path):
            connection = _connect(path, "rwc")
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA foreign_keys=ON")
            store = cls(path, connection)
            store._prepare(reader, design_sha256)
        try:
            store._refuse_others(reader, design_sha256)
        except StoreError:
            connection.close()
            raise
        return store

    @classmethod
    def read(cls, path: Path) -> Self:
        """Open the readings to look at them only.

        Raises
        ------
        StoreError
            If there are none or they cannot be read.
        """
        if not path.is_file():
            raise StoreError(f"{path}: found no readings, accepted is a file of vol2vol")
        with _told(path):
            return cls(path, _connect(path, "ro"))

    def close(self) -> None:
        """Close the file; what was logged is on disk already."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def meta(self) -> dict[str, str]:
        """Study, reader and versions that the file was made with."""
        with _told(self.path):
            return dict(self._connection.execute("SELECT key, value FROM meta"))

    def append(
        self, kind: str, body: Mapping[str, Any], trial: str | None = None, *, answers: str | None = None
    ) -> Event:
        """Commit one event; with ``answers``, as the answer of ``trial`` to the question of that name.

        Raises
        ------
        StoreError
            If the question of the trial was answered already, or nothing can be written.
        """
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        text = canonical(dict(body)).decode()
        with _told(self.path), self._transaction() as connection:
            last = connection.execute("SELECT seq, hash FROM events ORDER BY seq DESC LIMIT 1").fetchone()
            seq, previous = (last[0] + 1, last[1]) if last else (1, self._genesis())
            event = Event(
                seq, at, kind, trial, dict(body), previous, event_hash(seq, at, kind, trial, text, previous)
            )
            connection.execute(
                "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?)",
                (seq, at, kind, trial, text, previous, event.hash),
            )
            if answers is not None:
                self._insert_answer(connection, trial, answers, seq)
        return event

    def events(self, kind: str | None = None, trial: str | None = None) -> list[Event]:
        """Return the log in order, all of it or of one kind or trial."""
        where = [f"{name} = ?" for name, value in (("kind", kind), ("trial", trial)) if value is not None]
        values = [value for value in (kind, trial) if value is not None]
        clause = f" WHERE {' AND '.join(where)}" if where else ""
        with _told(self.path):
            rows = self._connection.execute(f"SELECT * FROM events{clause} ORDER BY seq", values).fetchall()
            return [Event(r[0], r[1], r[2], r[3], json.loads(r[4]), r[5], r[6]) for r in rows]

    def answered(self) -> set[tuple[str, str]]:
        """Return what is answered: pairs of trial and question."""
        with _told(self.path):
            return set(self._connection.execute("SELECT trial, question FROM answers"))

    def verify(self) -> Verified:
        """Compute every hash anew.

        Raises
        ------
        StoreError
            Names the first event that was altered, is missing, or does not agree with the answers.
        """
        meta, previous, found = self.meta, self._genesis(), set()
        count = 0
        with _told(self.path):
            for count, row in enumerate(self._connection.execute("SELECT * FROM events ORDER BY seq"), 1):
                seq, at, kind, trial, text, before, given = row
                if (seq, before, event_hash(seq, at, kind, trial, text, before)) != (count, previous, given):
                    raise StoreError(f"{self.path}: event {count}: found an altered or missing event")
                previous = given
                if kind == "answer":
                    found.add((trial, json.loads(text).get("question"), seq))
            answers = set(self._connection.execute("SELECT trial, question, seq FROM answers"))
        if answers != found:
            odd = sorted(str(a) for a in answers ^ found)[0]
            raise StoreError(f"{self.path}: found answers that do not agree with the log, as {odd}")
        return Verified(meta["reader"], meta["design_sha256"], count, len(answers), previous)

    def _genesis(self) -> str:
        meta = self.meta
        first = {key: meta[key] for key in ("version", "reader", "design_sha256")}
        return hashlib.sha256(canonical(first)).hexdigest()

    def _prepare(self, reader: str, design_sha256: str) -> None:
        with self._transaction() as connection:
            if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone():
                return
            for statement in _SCHEMA.split(";"):
                connection.execute(statement)
            for table in _TABLES:
                for action in ("UPDATE", "DELETE"):
                    connection.execute(
                        f"CREATE TRIGGER no_{action.lower()}_{table} BEFORE {action} ON {table} "
                        "BEGIN SELECT RAISE(ABORT, 'readings are append-only'); END"
                    )
            meta = {"version": str(VERSION), "reader": reader, "design_sha256": design_sha256}
            connection.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())

    def _refuse_others(self, reader: str, design_sha256: str) -> None:
        meta = self.meta
        expected = {"version": str(VERSION), "reader": reader, "design_sha256": design_sha256}
        for key, value in expected.items():
            if meta.get(key) != value:
                raise StoreError(f"{self.path}: {key}: found {meta.get(key)!r}, accepted is {value!r}")

    def _insert_answer(
        self, connection: sqlite3.Connection, trial: str | None, question: str, seq: int
    ) -> None:
        try:
            connection.execute("INSERT INTO answers VALUES (?, ?, ?)", (trial, question, seq))
        except sqlite3.IntegrityError as error:
            raise StoreError(
                f"{self.path}: trial {trial}, question {question}: found an answer already, accepted is one"
            ) from error

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield self._connection
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")


def event_hash(seq: int, at: str, kind: str, trial: str | None, text: str, previous: str) -> str:
    """Return the sha256 of an event: of everything it says and of the hash before it."""
    return hashlib.sha256(canonical([seq, at, kind, trial, text, previous])).hexdigest()


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    uri = f"{path.resolve().as_uri()}?mode={mode}"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None)
    connection.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
    return connection


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ours."""
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(f"{path}: could not be read or written: {error}") from error


def check_name(name: str, what: str) -> None:
    """Refuse a name that cannot be part of a file name; `SettingsError` says what is accepted."""
    if not name or len(name) > 60 or not all(c.isalnum() or c in "-_" for c in name) or not name.isascii():
        raise SettingsError(f"{what}: found {name!r}, accepted are letters, digits, - and _")
