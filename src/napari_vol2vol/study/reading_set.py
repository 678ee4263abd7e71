"""What the reading side knows: trials with codes only, questions without their answers, window policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.study.design import WindowPolicy
from napari_vol2vol.study.json_fields import decode, read_json
from napari_vol2vol.study.questions import Question

FORMAT = "napari-vol2vol reading set"
VERSION = 1
ROLES = ("training", "test", "repeat")


@dataclass(frozen=True)
class Trial:
    """One screen. ``code`` is shown; ``volumes`` are file codes in screen order, left first.

    ``feedback`` holds the right answer by question, in training only.
    """

    id: str
    code: str
    block: str
    role: str
    volumes: tuple[str, ...]
    questions: tuple[str, ...]
    feedback: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class BlockText:
    """What a reader is told of a block."""

    title: str = ""
    instructions: str = ""


@dataclass(frozen=True)
class ReadingSet:
    """Everything in ``reading/reading.json``. ``volumes`` is the sha256 of the blinded copy of each code.

    ``washout_blocks`` are pairs of blocks that show the same cases and are read ``washout_days`` apart.
    """

    study: str
    title: str
    design_sha256: str
    questions: tuple[Question, ...]
    blocks: Mapping[str, BlockText]
    volumes: Mapping[str, str]
    readers: Mapping[str, tuple[Trial, ...]]
    window: WindowPolicy
    washout_days: float = 0.0
    washout_blocks: tuple[tuple[str, str], ...] = ()
    end_text: str = ""
    packages: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    format: str = FORMAT
    version: int = VERSION

    def question(self, name: str) -> Question:
        """Return the question of a name; `SettingsError` where there is none."""
        for question in self.questions:
            if question.name == name:
                return question
        raise SettingsError(f"question: found {name!r}, the study has none of this name")

    def trials(self, reader: str) -> tuple[Trial, ...]:
        """Return the trials of a reader in order; `SettingsError` where there is no such reader."""
        if reader not in self.readers:
            raise SettingsError(f"reader: found {reader!r}, accepted are {', '.join(self.readers)}")
        return self.readers[reader]


def reading_file(reading: Path) -> Path:
    """Return the file of the reading set in a reading folder."""
    return reading / "reading.json"


def volume_file(reading: Path, code: str) -> Path:
    """Return the blinded copy of a code in a reading folder."""
    return reading / "volumes" / f"{code}.nii"


def read_reading_set(reading: Path) -> ReadingSet:
    """Read the reading set of a reading folder.

    Raises
    ------
    SettingsError
        If there is none, or a field is not as it should be.
    """
    path = reading_file(reading)
    if not path.is_file():
        raise SettingsError(f"reading: found no {path}, accepted is the folder that `study freeze` made")
    value = read_json(path, "a reading set")
    if (value.get("format"), value.get("version")) != (FORMAT, VERSION):
        raise SettingsError(
            f"{path}: found {value.get('format')!r} version {value.get('version')!r}, accepted is "
            f"{FORMAT!r} version {VERSION}"
        )
    return decode(ReadingSet, value, path.name)
