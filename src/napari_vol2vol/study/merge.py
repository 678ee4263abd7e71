"""Bring readings from copies of a study together, and lock them before anybody is unblinded."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from napari_vol2vol.errors import SettingsError, StoreError
from napari_vol2vol.study.folder import StudyFolder, as_text, write_text
from napari_vol2vol.study.json_fields import read_json
from napari_vol2vol.study.reading_set import ReadingSet, read_reading_set
from napari_vol2vol.study.session import LOCKED
from napari_vol2vol.study.store import Store, Verified, answer_file, answer_files
from napari_vol2vol.study.washout import washout_breaches


@dataclass(frozen=True)
class Merged:
    """What one file of readings brought: ``new`` answers for ``reader``."""

    reader: str
    answers: int
    new: int


def verify(reading: Path) -> list[Verified]:
    """Compute every hash of every reader anew, and check that the readings are of this study.

    Raises
    ------
    StoreError
        Names the file and the first event that is not as it was written.
    """
    study = read_reading_set(reading)
    return [_verified(path, study) for path in answer_files(reading)]


def merge(folder: StudyFolder, copies: Sequence[Path]) -> list[Merged]:
    """Bring in readings from other copies: files of readings, or folders that hold ``answers/*.sqlite``.

    A file of a reader who has no readings here is copied. Where there are some, the longer log has to begin
    with the whole shorter one; then it replaces it.

    Raises
    ------
    SettingsError
        If there is nothing to merge, a reader is not of this study, or the study is locked.
    StoreError
        If a log is damaged, of another design, brings nothing new, or goes another way than ours.
    """
    study = read_reading_set(folder.reading)
    if folder.lock.exists():
        raise SettingsError(f"study: {folder.path} is locked, accepted are merges before the lock")
    files = [file for copy in copies for file in _files(copy)]
    checked = [(file, _verified(file, study)) for file in files]
    readers = [verified.reader for _, verified in checked]
    if doubled := sorted({r for r in readers if readers.count(r) > 1}):
        raise StoreError(f"merge: found reader {doubled[0]} in more than one file, accepted is one file each")
    plans = [(file, verified, _new_answers(folder, file, verified, study)) for file, verified in checked]
    for file, verified, _ in plans:
        _copy(file, answer_file(folder.reading, verified.reader))
    return [Merged(v.reader, v.answers, new) for _, v, new in plans]


def lock(folder: StudyFolder, *, incomplete: bool = False) -> dict[str, Any]:
    """End the reading: verify all logs, write ``lock.json`` with the hash of each, refuse more answers.

    Only then `napari_vol2vol.study.readings` joins answers with the key.

    Raises
    ------
    SettingsError
        If the study is locked already, or (without ``incomplete``) a reader has not finished.
    StoreError
        If a log is damaged.
    """
    if folder.lock.exists():
        raise SettingsError(f"study: found {folder.lock}, accepted is a study that is not locked yet")
    study = read_reading_set(folder.reading)
    found = {verified.reader: verified for verified in verify(folder.reading)}
    open_ones = [r for r in study.readers if r not in found or found[r].answers < _expected(study, r)]
    if open_ones and not incomplete:
        raise SettingsError(
            f"readers: {', '.join(open_ones)} have not finished; accepted is a finished study, or "
            "--incomplete, which the report states"
        )
    if not found:
        raise SettingsError("readers: found no readings, accepted is a study that was read")
    body = {
        "locked": datetime.now(UTC).isoformat(timespec="seconds"),
        "design_sha256": study.design_sha256,
        "incomplete": open_ones,
        "readers": {
            r: {"head": v.head, "events": v.events, "answers": v.answers, "expected": _expected(study, r)}
            for r, v in found.items()
        },
        "washout": _breaches(folder, study),
    }
    write_text(folder.lock, as_text(body))
    write_text(folder.reading / LOCKED, as_text({"locked": body["locked"]}))
    return body


def require_lock(folder: StudyFolder) -> dict[str, Any]:
    """Return what was locked, after checking that readings and design are still the same.

    Raises
    ------
    SettingsError
        If the study is not locked, or its design changed after freezing.
    StoreError
        If readings changed after the lock.
    """
    if not folder.lock.exists():
        raise SettingsError(
            f"study: {folder.path} is not locked; accepted is `vol2vol study lock` before any unblinding"
        )
    locked = read_json(folder.lock, "a lock")
    if folder.study().sha256 != locked["design_sha256"]:
        raise SettingsError(f"{folder.design}: found a design that was changed after freezing")
    for verified in verify(folder.reading):
        kept = locked["readers"].get(verified.reader)
        if kept is None or kept["head"] != verified.head:
            raise StoreError(f"readings of {verified.reader}: found changes after the lock")
    return locked


def _expected(study: ReadingSet, reader: str) -> int:
    return sum(len(trial.questions) for trial in study.trials(reader))


def _breaches(folder: StudyFolder, study: ReadingSet) -> dict[str, list[str]]:
    found = {}
    for path in answer_files(folder.reading):
        with Store.read(path) as store:
            reader = store.meta["reader"]
            breaches = washout_breaches(study, study.trials(reader), store.events("answer"))
        if breaches:
            found[reader] = breaches
    return found


def _files(copy: Path) -> list[Path]:
    if copy.is_file():
        return [copy]
    found = [
        f for part in (copy, copy / "answers", copy / "reading" / "answers") for f in part.glob("*.sqlite")
    ]
    if not found:
        raise SettingsError(f"merge: found no readings in {copy}, accepted are .sqlite files of readings")
    return sorted(found)


def _verified(path: Path, study: ReadingSet) -> Verified:
    with Store.read(path) as store:
        verified = store.verify()
        trials = {t.id: t for t in study.trials(verified.reader)}
        odd = [
            pair
            for pair in store.answered()
            if pair[0] not in trials or pair[1] not in trials[pair[0]].questions
        ]
    if verified.design_sha256 != study.design_sha256:
        raise StoreError(f"{path}: design: found another study's, accepted are readings of {study.study}")
    if odd:
        raise StoreError(f"{path}: found an answer to {odd[0]}, which the plan of {verified.reader} has not")
    return verified


def _new_answers(folder: StudyFolder, file: Path, verified: Verified, study: ReadingSet) -> int:
    ours_path = answer_file(folder.reading, verified.reader)
    if not ours_path.exists():
        return verified.answers
    ours = _verified(ours_path, study)
    if ours.head == verified.head:
        raise StoreError(f"{file}: found the readings of {ours.reader} that are here already: a duplicate")
    with Store.read(ours_path) as store, Store.read(file) as other:
        mine, theirs = ([e.hash for e in s.events()] for s in (store, other))
    if theirs[: len(mine)] != mine:
        raise StoreError(
            f"{file}: found readings of {ours.reader} that go another way than ours (they part at event "
            f"{_parting(mine, theirs)}); accepted is a continuation of the readings that are here"
        )
    return verified.answers - ours.answers


def _parting(mine: Sequence[str], theirs: Sequence[str]) -> int:
    same = (a == b for a, b in zip(mine, theirs, strict=False))
    return next((n for n, equal in enumerate(same, 1) if not equal), min(len(mine), len(theirs)) + 1)


def _copy(file: Path, target: Path) -> None:
    """Copy with SQLite's own backup, which includes what still lies in the write-ahead log."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(".partial")
    part.unlink(missing_ok=True)
    try:
        with (
            closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(part)) as copy,
        ):
            source.backup(copy)
        for tail in ("-wal", "-shm"):
            target.with_name(target.name + tail).unlink(missing_ok=True)
        part.replace(target)
    except (sqlite3.Error, OSError) as error:
        part.unlink(missing_ok=True)
        raise StoreError(f"{target}: could not be written: {error}") from error
