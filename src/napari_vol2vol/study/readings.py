"""Answers joined with the key: only after the lock. One row an answer, ready for statistics and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.study.design import Item, Study
from napari_vol2vol.study.folder import StudyFolder
from napari_vol2vol.study.json_fields import read_json
from napari_vol2vol.study.merge import require_lock
from napari_vol2vol.study.plan import right_answer
from napari_vol2vol.study.questions import Question
from napari_vol2vol.study.reading_set import Trial, read_reading_set, reading_file
from napari_vol2vol.study.store import Event, Store, answer_files


@dataclass(frozen=True)
class Reading:
    """One answer. ``arms`` are in screen order, left first.

    ``truth`` is the right answer (a side, yes or no; for ratings whether high is right), ``correct`` whether
    it was given. ``score`` grows with the reader's belief that the volume (or, of a pair, the left one) is
    what the question looks for; ``positive`` is whether it is. Both are None without a right answer.
    """

    reader: str
    block: str
    order: int
    role: str
    trial: str
    case: str
    arms: tuple[str, ...]
    question: str
    kind: str
    value: Any
    confidence: int | None
    seconds: float
    at: str
    truth: Any
    correct: bool | None
    positive: bool | None
    score: float | None
    mark: Mapping[str, Any] | None = None

    @property
    def comparison(self) -> str:
        """The arms that were shown, whatever their side: ``"generated | real"``."""
        return " | ".join(sorted(self.arms))


def unblinded(folder: StudyFolder) -> list[Reading]:
    """Return all answers of a locked study, training left out, reader by reader in the order of reading.

    Raises
    ------
    SettingsError, StoreError
        If the study is not locked, or key, design or readings are not those that were locked.
    """
    from napari_vol2vol.io.provenance import file_sha256

    locked = require_lock(folder)
    study, reading = folder.study(), read_reading_set(folder.reading)
    key = read_json(folder.key, "an answer key")
    if key.get("design_sha256") != locked["design_sha256"]:
        raise SettingsError(f"{folder.key}: found the key of another design")
    if key.get("reading_sha256") != file_sha256(reading_file(folder.reading)):
        raise SettingsError(f"{reading_file(folder.reading)}: found trials that were changed after freezing")
    found: list[Reading] = []
    for path in answer_files(folder.reading):
        with Store.read(path) as store:
            reader, events = store.meta["reader"], store.events("answer")
        found += _rows(study, key["volumes"], reader, reading.trials(reader), events)
    return found


def as_csv(readings: Sequence[Reading]) -> str:
    """Return the readings as CSV, one row an answer."""
    names = [f.name for f in fields(Reading)]
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(names)
    for reading in readings:
        row = asdict(reading) | {"arms": " ".join(reading.arms)}
        writer.writerow(["" if row[name] is None else row[name] for name in names])
    return stream.getvalue()


def signed_score(question: Question, value: Any, confidence: int | None) -> float | None:
    """Return an answer as one number that grows towards *yes*, *left* or a high rating.

    With a confidence c on a scale from a to b the number is ±(c - a + 1/2): the least sure *yes* stands just
    above the least sure *no*. Without one it is ±1/2. Ratings are themselves.
    """
    if question.kind == "rating":
        return None if value is None else float(value)
    if question.kind not in ("2afc", "yes-no") or value is None:
        return None
    low = question.confidence[0] if question.confidence else 0
    size = (confidence - low if confidence is not None else 0) + 0.5
    return size if value in ("yes", "left") else -size


def _rows(
    study: Study,
    volumes: Mapping[str, Mapping[str, str]],
    reader: str,
    trials: Sequence[Trial],
    events: Sequence[Event],
) -> Iterator[Reading]:
    places = {trial.id: (number, trial) for number, trial in enumerate(trials, 1)}
    for event in events:
        order, trial = places[str(event.trial)]
        if trial.role == "training":
            continue
        shown = [volumes[code] for code in trial.volumes]
        arms = tuple(volume["arm"] for volume in shown)
        question = study.question(event.body["question"])
        truth = right_answer(study, question, Item(shown[0]["case"], arms), arms)
        value, confidence = event.body["value"], event.body.get("confidence")
        judged = truth is not None and value is not None and question.kind in ("2afc", "yes-no")
        yield Reading(
            reader, trial.block, order, trial.role, trial.id, shown[0]["case"], arms, question.name,
            question.kind, value, confidence, float(event.body["seconds"]), event.at, truth,
            value == truth if judged else None,
            truth in ("yes", "left", True) if truth is not None else None,
            signed_score(question, value, confidence) if truth is not None else None,
            event.body.get("mark"),
        )  # fmt: skip
