"""Where the files of a study lie, and what may still be changed.

The folder ``reading`` is all that readers get. Nothing in it tells which volume is of which arm: that stands
in ``study.json`` and ``key.json`` beside it, which the reading side never opens.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.study.design import Study, read_study
from napari_vol2vol.study.json_fields import encode
from napari_vol2vol.study.store import answer_files, count_answers


@dataclass(frozen=True)
class StudyFolder:
    """The paths of one study."""

    path: Path

    @property
    def design(self) -> Path:
        """The study file."""
        return self.path / "study.json"

    @property
    def key(self) -> Path:
        """The answer key."""
        return self.path / "key.json"

    @property
    def audit(self) -> Path:
        """What the leak audit found before freezing."""
        return self.path / "audit.json"

    @property
    def lock(self) -> Path:
        """What was locked before unblinding."""
        return self.path / "lock.json"

    @property
    def results(self) -> Path:
        """Folder of reports and exports."""
        return self.path / "results"

    @property
    def reading(self) -> Path:
        """All that readers get."""
        return self.path / "reading"

    def study(self) -> Study:
        """Read the study file; errors as in `read_study`."""
        if not self.design.is_file():
            raise SettingsError(
                f"study: found no {self.design}, accepted is a folder made by `vol2vol study new`"
            )
        return read_study(self.design)

    def answers(self) -> int:
        """Return how many answers the readings of this folder hold."""
        return sum(count_answers(path) for path in answer_files(self.reading))

    def refuse_changes_after_the_first_answer(self) -> None:
        """Raise `SettingsError` where a reader has answered already: the design is frozen then."""
        if number := self.answers():
            raise SettingsError(
                f"study: found {number} answers in {self.reading}, so the design is frozen; accepted are "
                "changes before the first answer, or a new study"
            )

    def save(self, study: Study) -> None:
        """Write the study file; `SettingsError` after the first answer."""
        self.refuse_changes_after_the_first_answer()
        self.path.mkdir(parents=True, exist_ok=True)
        write_text(self.design, as_text(encode(study)))


def as_text(value: Mapping[str, Any]) -> str:
    """Return the text of a JSON file of a study."""
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def write_text(path: Path, text: str) -> None:
    """Write a text file, completely or not at all."""
    from napari_vol2vol.io.atomic import write_files

    def fill(stream: Any) -> None:
        stream.write(text.encode())

    write_files({path: fill}, overwrite=True)
