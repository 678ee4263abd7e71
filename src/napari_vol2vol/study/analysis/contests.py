"""Sets of answers that belong together: one block, one question, one arm against the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_vol2vol.study.design import Study
from napari_vol2vol.study.questions import Question
from napari_vol2vol.study.readings import Reading

Unit = tuple[str, tuple[str, ...]]


@dataclass(frozen=True)
class Contest:
    """The answers to one question of one block about one ``treatment``: an arm, or a comparison of arms."""

    block: str
    question: Question
    treatment: str
    readings: tuple[Reading, ...]

    @property
    def readers(self) -> list[str]:
        """Readers in the order in which they come."""
        return list(dict.fromkeys(r.reader for r in self.readings))

    @property
    def tests(self) -> list[Reading]:
        """Answers without repeats, in order of reading."""
        return [r for r in self.readings if r.role == "test" and r.value is not None]

    def of(self, reader: str) -> list[Reading]:
        """Return the answers of one reader, without repeats."""
        return [r for r in self.tests if r.reader == reader]

    @property
    def balanced(self) -> bool:
        """Whether guessing is right half of the time: sides of pairs, or as many positives as negatives."""
        if self.question.kind == "2afc":
            return True
        return all(
            2 * sum(bool(r.positive) for r in self.of(reader)) == len(self.of(reader))
            for reader in self.readers
        )


def contests(study: Study, readings: Sequence[Reading]) -> list[Contest]:
    """Return the contests of all questions that have a right answer.

    Questions about the arm set each positive arm against all others of its block; questions about a finding
    make one contest an arm; pairs are taken by the arms they show.
    """
    found = []
    for block in study.blocks:
        for name in block.questions:
            question = study.question(name)
            if not question.has_truth:
                continue
            own = [r for r in readings if r.block == block.name and r.question == name]
            found += [
                Contest(block.name, question, treatment, tuple(rows))
                for treatment, rows in _split(question, own)
                if rows
            ]
    return found


def crossed(tests: Sequence[Reading], readers: Sequence[str]) -> list[Unit]:
    """Return what every one of the readers has answered: cases with the arms shown, whatever their side."""
    by_reader = [{unit(r) for r in tests if r.reader == reader} for reader in readers]
    shared = set.intersection(*by_reader) if by_reader else set()
    return sorted(shared)


def unit(reading: Reading) -> Unit:
    """Return what an answer is about: the case and the arms shown."""
    return reading.case, tuple(sorted(reading.arms))


def table(
    tests: Sequence[Reading], readers: Sequence[str], units: Sequence[Unit], what: str
) -> NDArray[np.float64]:
    """Return a field of the answers as numbers `(readers, units)`."""
    values = {(r.reader, unit(r)): getattr(r, what) for r in tests}
    return np.array([[float(values[reader, u]) for u in units] for reader in readers])


def _split(question: Question, own: Sequence[Reading]) -> Iterator[tuple[str, list[Reading]]]:
    if question.kind == "2afc" or question.finding is not None:
        for comparison in dict.fromkeys(r.comparison for r in own):
            yield comparison, [r for r in own if r.comparison == comparison]
        return
    others = [r for r in own if not r.positive]
    for arm in dict.fromkeys(r.arms[0] for r in own if r.positive):
        chosen = {id(r) for r in own if r.arms[0] == arm} | {id(r) for r in others}
        yield arm, [r for r in own if id(r) in chosen]
