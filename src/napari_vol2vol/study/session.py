"""Reading without a window: the next trial, answers, pauses, resume. A reading window only draws this.

Everything is on disk when a method returns. A session reads the folder ``reading`` and nothing else.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

from napari_vol2vol.errors import SettingsError, StoreError
from napari_vol2vol.study.questions import Answer, Mark, Question, checked_answer, checked_value
from napari_vol2vol.study.reading_set import ReadingSet, Trial, read_reading_set, volume_file
from napari_vol2vol.study.stopwatch import Stopwatch
from napari_vol2vol.study.store import Store, answer_file
from napari_vol2vol.study.visits import Visits
from napari_vol2vol.study.washout import washout_warning

if TYPE_CHECKING:
    from napari_vol2vol.volume import Volume

LOCKED = "locked.json"


@dataclass(frozen=True)
class Progress:
    """How far a reader is: trials done and all trials, of the whole plan and of the present block."""

    done: int
    total: int
    block: str
    block_done: int
    block_total: int


class ReadingSession:
    """One reader at work. Methods are called from one thread, the one that opened the session.

    ``clock`` gives seconds and is replaced in tests.

    Raises
    ------
    SettingsError, StoreError
        If folder or reader are not of a frozen study, the study is locked, or readings are damaged.
    """

    def __init__(self, reading: Path, reader: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.folder = Path(reading)
        self.set: ReadingSet = read_reading_set(self.folder)
        self.reader = reader
        self.trials = self.set.trials(reader)
        if (self.folder / LOCKED).exists():
            raise SettingsError(f"study: {self.folder} is locked for analysis; accepted are no more readings")
        self._store = Store.open(answer_file(self.folder, reader), reader, self.set.design_sha256)
        self._verify_or_close()
        self._answered = self._store.answered()
        self._watch = Stopwatch(clock)
        self._visits = Visits()
        self._choice_seconds: float | None = None
        self._index = self._first_open(0)
        self._store.append(
            "opened", {"packages": _versions(), "next": self._id(), "warnings": self.warnings()}
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def trial(self) -> Trial | None:
        """The trial that is on, or None at the end."""
        return self.trials[self._index] if self._index < len(self.trials) else None

    @property
    def question(self) -> Question | None:
        """The question that is on, or None at the end."""
        trial = self.trial
        if trial is None:
            return None
        open_ones = (name for name in trial.questions if (trial.id, name) not in self._answered)
        return self.set.question(next(open_ones))

    @property
    def finished(self) -> bool:
        """Whether everything is answered."""
        return self.trial is None

    @property
    def progress(self) -> Progress:
        """How far the reader is."""
        trial = self.trial
        block = trial.block if trial else ""
        of_block = [n for n, t in enumerate(self.trials) if t.block == block]
        done = sum(n < self._index for n in of_block)
        return Progress(self._index, len(self.trials), block, done, len(of_block))

    @property
    def starts_block(self) -> bool:
        """Whether the present trial is the first of its block: title and instructions are due."""
        trial = self.trial
        return trial is not None and (self._index == 0 or self.trials[self._index - 1].block != trial.block)

    @property
    def choice(self) -> Any:
        """What was chosen for the present question but not yet answered with a confidence; else None."""
        trial, question = self.trial, self.question
        if trial is None or question is None:
            return None
        events = self._store.events("choice", trial.id)
        found = [e.body["value"] for e in events if e.body["question"] == question.name]
        return found[-1] if found else None

    @property
    def seconds(self) -> float:
        """Seconds that the reader looked at the present trial, without pauses and time in other windows."""
        return self._watch.seconds

    def warnings(self) -> list[str]:
        """Return what to tell the reader before reading: a washout that is not over yet."""
        trial = self.trial
        warning = trial and washout_warning(self.set, self.trials, self._store.events("answer"), trial.block)
        return [warning] if warning else []

    def shown(self, load_seconds: float | None = None) -> None:
        """Say that the present trial is on the screen: its time starts."""
        trial = self._present()
        self._visits.clear()
        self._choice_seconds = None
        self._watch.start()
        self._store.append("shown", {"load_seconds": load_seconds, "volumes": list(trial.volumes)}, trial.id)

    def focus(self, gained: bool) -> None:
        """Say that the window gained or lost the focus; the time stands still without."""
        (self._watch.release if gained else self._watch.hold)("focus")
        self._store.append("focus", {"gained": gained}, self._id())

    def pause(self) -> None:
        """Pause; the time stands still until `resume`."""
        self._watch.hold("pause")
        self._store.append("pause", {}, self._id())

    def resume(self) -> None:
        """Go on after `pause`."""
        self._watch.release("pause")
        self._store.append("resume", {}, self._id())

    def visit(self, position: int, plane: str, index: int) -> None:
        """Note that a slice was looked at; kept in memory, written with the answer."""
        self._visits.add(position, plane, index)

    def set_window(self, width: float, level: float) -> None:
        """Log a change of the display window; `SettingsError` where the study locks it."""
        if self.set.window.locked:
            raise SettingsError("window: this study locks it, accepted is no change")
        self._store.append("window", {"width": width, "level": level}, self._id())

    def log(self, kind: str, body: Mapping[str, Any]) -> None:
        """Log something else, as a closed dialogue; ``kind`` is prefixed with ``note:``."""
        self._store.append(f"note:{kind}", body, self._id())

    def choose(self, value: object) -> None:
        """Commit the choice of a question whose confidence is asked next; the last choice counts."""
        trial, question = self._asked()
        checked = checked_value(question, value, len(trial.volumes))
        self._choice_seconds = self._watch.seconds
        self._store.append(
            "choice", {"question": question.name, "value": checked, "seconds": self._choice_seconds}, trial.id
        )

    def answer(
        self, value: object = None, confidence: int | None = None, mark: Mark | None = None
    ) -> Mapping[str, Any] | None:
        """Commit the answer to the present question and go on; without ``value``, what `choose` committed.

        Returns
        -------
        mapping or None
            In training, ``{"right": the right answer, "correct": bool}`` where there is one; else None.

        Raises
        ------
        SettingsError, StoreError
            If the question does not accept the answer, or it cannot be written; nothing is kept then.
        """
        trial, question = self._asked()
        value = self.choice if value is None else value
        body = checked_answer(question, Answer(value, confidence, mark), len(trial.volumes))
        chosen = self._choice_seconds
        body |= {
            "question": question.name, "seconds": self._watch.seconds, "choice_seconds": chosen,
            "slices": self._visits.as_json(),
        }  # fmt: skip
        self._store.append("answer", body, trial.id, answers=question.name)
        self._answered.add((trial.id, question.name))
        self._choice_seconds = None
        feedback = self._feedback(trial, question, body["value"])
        self._index = self._first_open(self._index)
        return feedback

    def upcoming(self, count: int = 1) -> list[Path]:
        """Return the files of the next ``count`` trials after the present one, to be loaded ahead."""
        trials = self.trials[self._index + 1 : self._index + 1 + count]
        return [volume_file(self.folder, code) for trial in trials for code in trial.volumes]

    def files(self) -> list[Path]:
        """Return the files of the present trial in screen order."""
        return [volume_file(self.folder, code) for code in self._present().volumes]

    def load(self, path: Path) -> Volume:
        """Read one of `files` or `upcoming`; safe in another thread.

        Raises
        ------
        StoreError, VolumeError
            If the file is not the one that was frozen, or cannot be read.
        """
        from napari_vol2vol.study.blinded_volume import load_blinded

        if path.stem not in self.set.volumes or path != volume_file(self.folder, path.stem):
            raise StoreError(f"{path}: found a file that is not part of this study")
        return load_blinded(path, self.set.volumes[path.stem])

    def window_limits(self, volumes: Sequence[Volume]) -> tuple[float, float]:
        """Return the values shown black and white at first, pooled over the volumes of a trial."""
        from napari_vol2vol.study.blinded_volume import window_limits

        return window_limits(self.set.window, volumes)

    def close(self) -> None:
        """Log the end of the sitting and close the file; a second call does nothing."""
        if self._store is not None:
            self._store.append("closed", {"finished": self.finished}, self._id())
            self._store.close()
            self._store = None  # type: ignore[assignment]

    def _verify_or_close(self) -> None:
        try:
            self._store.verify()
        except StoreError:
            self._store.close()
            raise

    def _first_open(self, start: int) -> int:
        for index in range(start, len(self.trials)):
            trial = self.trials[index]
            if any((trial.id, name) not in self._answered for name in trial.questions):
                return index
        return len(self.trials)

    def _feedback(self, trial: Trial, question: Question, value: object) -> Mapping[str, Any] | None:
        if trial.role != "training" or question.name not in trial.feedback:
            return None
        right = trial.feedback[question.name]
        return MappingProxyType({"right": right, "correct": value == right})

    def _present(self) -> Trial:
        if self.trial is None:
            raise SettingsError("trial: everything is answered, accepted is no more")
        return self.trial

    def _asked(self) -> tuple[Trial, Question]:
        trial, question = self._present(), self.question
        assert question is not None
        return trial, question

    def _id(self) -> str | None:
        return self.trial.id if self.trial else None


def _versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version()}
    for name in ("napari-vol2vol", "numpy", "napari", "qtpy"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
