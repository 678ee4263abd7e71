"""A dress rehearsal: robots read a copy of a frozen study, so that its report is seen before any reader."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.study.design import Item, Study
from napari_vol2vol.study.folder import StudyFolder
from napari_vol2vol.study.json_fields import read_json
from napari_vol2vol.study.merge import lock
from napari_vol2vol.study.plan import right_answer, stream
from napari_vol2vol.study.questions import Question
from napari_vol2vol.study.session import LOCKED, ReadingSession
from napari_vol2vol.study.store import ANSWERS

#: ``perfect`` is always right, ``random`` throws a coin, ``biased`` always says *left* and *yes*.
ROBOTS = ("perfect", "random", "biased")
_REHEARSAL = 9


def rehearse(folder: StudyFolder, copy: Path, robots: Sequence[str] = ROBOTS) -> StudyFolder:
    """Copy a frozen study without its readings, let robots read it in the readers' order, lock the copy.

    The study itself is not touched. Robots are dealt to readers in turn; what they throw follows the study's
    seed.

    Raises
    ------
    SettingsError
        If the study is not frozen, the copy exists already, or a robot is unknown.
    """
    odd = [robot for robot in robots if robot not in ROBOTS]
    if odd or not robots:
        raise SettingsError(f"robots: found {odd or 'none'}, accepted are {', '.join(ROBOTS)}")
    if copy.exists():
        raise SettingsError(f"copy: found {copy}, accepted is a new folder")
    if not folder.key.exists():
        raise SettingsError(f"study: {folder.path} is not frozen, accepted is a frozen study")
    made = StudyFolder(copy)
    shutil.copytree(folder.reading, made.reading, ignore=shutil.ignore_patterns(ANSWERS, LOCKED))
    for file, target in ((folder.design, made.design), (folder.key, made.key)):
        shutil.copy(file, target)
    study, volumes = made.study(), read_json(made.key, "an answer key")["volumes"]
    for number, reader in enumerate(study.readers):
        robot = robots[number % len(robots)]
        _read(made, study, volumes, reader.name, robot, stream(study, _REHEARSAL, number))
    lock(made)
    return made


def _read(
    folder: StudyFolder,
    study: Study,
    volumes: Mapping[str, Mapping[str, str]],
    reader: str,
    robot: str,
    rng: np.random.Generator,
) -> None:
    with ReadingSession(folder.reading, reader) as session:
        while (trial := session.trial) is not None and session.question is not None:
            question = study.question(session.question.name)
            shown = [volumes[code] for code in trial.volumes]
            arms = tuple(volume["arm"] for volume in shown)
            truth = right_answer(study, question, Item(shown[0]["case"], arms), arms)
            session.shown()
            low, high = question.confidence or (0, 0)
            value = _answer(question, truth, robot, len(arms), rng)
            confidence = int(rng.integers(low, high + 1)) if question.confidence else None
            session.answer(value, high if confidence is not None and robot == "perfect" else confidence)


def _answer(question: Question, truth: Any, robot: str, shown: int, rng: np.random.Generator) -> Any:
    low, high = question.scale
    if question.kind in ("2afc", "yes-no"):
        first, second = ("left", "right") if question.kind == "2afc" else ("yes", "no")
        thrown = first if robot == "biased" or rng.integers(2) else second
        return truth if robot == "perfect" and truth is not None else thrown
    if question.kind == "rating":
        return (high if truth else low) if robot == "perfect" else int(rng.integers(low, high + 1))
    if question.kind == "grading":
        return {criterion: int(rng.integers(low, high + 1)) for criterion in question.criteria}
    if question.kind == "ranking":
        return [int(place) for place in rng.permutation(shown)]
    return f"written by the robot {robot}"
