"""What readers are asked, and which answers each kind of question accepts. No volumes, no windows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from napari_vol2vol.errors import SettingsError

#: Kinds of question and how many volumes a trial has to show for each (lowest, highest).
KINDS: dict[str, tuple[int, int]] = {
    "2afc": (2, 2), "yes-no": (1, 9), "rating": (1, 9), "grading": (1, 9), "ranking": (2, 9), "text": (1, 9),
}  # fmt: skip
SIDES = ("left", "right")
CONFIDENCE_SCALES = ((1, 5), (1, 6), (0, 100))
LONGEST_TEXT = 10_000


@dataclass(frozen=True)
class Question:
    """One question.

    ``kind`` is one of `KINDS`: ``2afc`` (which of two, answered ``left`` or ``right``), ``yes-no``,
    ``rating`` (a whole number on ``scale``), ``grading`` (one number on ``scale`` for each of ``criteria``),
    ``ranking`` (the positions on the screen, best first) or ``text``.

    ``positive`` names the arms for which *yes*, a high rating or the chosen side is right; ``finding`` names
    a finding of the cases instead. Questions with neither have no right answer. ``confidence`` is the scale
    asked after the choice of ``2afc`` and ``yes-no``; ``mark`` lets the reader mark a point in the volume.
    ``labels`` are words for the steps of ``scale``.
    """

    name: str
    kind: str
    text: str
    positive: tuple[str, ...] = ()
    finding: str | None = None
    scale: tuple[int, int] = (1, 5)
    labels: tuple[str, ...] = ()
    criteria: tuple[str, ...] = ()
    confidence: tuple[int, int] | None = None
    mark: bool = False
    optional: bool = False

    @property
    def has_truth(self) -> bool:
        """Whether answers can be right or wrong."""
        return bool(self.positive) or self.finding is not None

    def problems(self) -> list[str]:
        """Return what is wrong with the question itself; empty where it can be asked."""
        found = []
        name = f"question {self.name!r}"
        if self.kind not in KINDS:
            return [f"{name}: kind: found {self.kind!r}, accepted are {', '.join(KINDS)}"]
        if self.kind == "2afc" and (not self.positive or self.finding is not None):
            found.append(f"{name}: a 2afc question needs `positive`, the arm that is to be found")
        if self.positive and self.finding is not None:
            found.append(f"{name}: found both positive and finding, accepted is one of them")
        if self.scale[0] >= self.scale[1]:
            found.append(f"{name}: scale: found {list(self.scale)}, accepted is the lower end first")
        if self.labels and len(self.labels) != self.scale[1] - self.scale[0] + 1:
            found.append(f"{name}: labels: found {len(self.labels)}, accepted is one for each step of scale")
        if (self.kind == "grading") != bool(self.criteria):
            found.append(f"{name}: criteria: needed by grading, and by no other kind")
        if self.confidence is not None and self.kind not in ("2afc", "yes-no"):
            found.append(f"{name}: confidence: asked after 2afc and yes-no only; use kind rating alone")
        if self.confidence is not None and tuple(self.confidence) not in CONFIDENCE_SCALES:
            accepted = ", ".join(f"{low} to {high}" for low, high in CONFIDENCE_SCALES)
            found.append(f"{name}: confidence: found {list(self.confidence)}, accepted are {accepted}")
        return found


@dataclass(frozen=True)
class Mark:
    """A marked point: the volume's position on the screen, and mm in RAS+ of the blinded grid."""

    position: int
    point_mm: tuple[float, float, float]


@dataclass(frozen=True)
class Answer:
    """A checked answer: ``value`` as its kind says, ``confidence`` on its scale, an optional mark."""

    value: Any
    confidence: int | None = None
    mark: Mark | None = None
    extra: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


def checked_value(question: Question, value: object, shown: int) -> Any:
    """Return the value of an answer as it is stored; ``shown`` is the number of volumes on the screen.

    Raises
    ------
    SettingsError
        If the kind of question does not accept the value.
    """
    if value is None and question.optional:
        return None
    return _CHECKS[question.kind](question, value, shown)


def checked_answer(question: Question, answer: Answer, shown: int) -> dict[str, Any]:
    """Return an answer as JSON.

    Raises
    ------
    SettingsError
        If value, confidence or mark is not what the question asks for.
    """
    value = checked_value(question, answer.value, shown)
    found: dict[str, Any] = {"value": value}
    if question.confidence is not None and value is not None:
        found["confidence"] = _whole(answer.confidence, question.confidence, f"{question.name}: confidence")
    elif answer.confidence is not None:
        raise SettingsError(
            f"{question.name}: confidence: found {answer.confidence}, this question asks none"
        )
    if answer.mark is not None:
        if not question.mark or not 0 <= answer.mark.position < shown:
            raise SettingsError(
                f"{question.name}: mark: found one at position {answer.mark.position}, accepted are "
                + (f"positions 0 to {shown - 1}" if question.mark else "none, as the question asks for none")
            )
        found["mark"] = {"position": answer.mark.position, "point_mm": list(answer.mark.point_mm)}
    return found


def _whole(value: object, scale: Sequence[int], what: str) -> int:
    if type(value) is not int or not scale[0] <= value <= scale[1]:
        raise SettingsError(f"{what}: found {value!r}, accepted are whole numbers {scale[0]} to {scale[1]}")
    return value


def _choice(accepted: tuple[str, ...]) -> Callable[[Question, object, int], str]:
    def check(question: Question, value: object, shown: int) -> str:
        if value not in accepted:
            raise SettingsError(f"{question.name}: found {value!r}, accepted are {' and '.join(accepted)}")
        return str(value)

    return check


def _rating(question: Question, value: object, shown: int) -> int:
    return _whole(value, question.scale, question.name)


def _grading(question: Question, value: object, shown: int) -> dict[str, int]:
    if not isinstance(value, Mapping) or set(value) != set(question.criteria):
        raise SettingsError(
            f"{question.name}: found {value!r}, accepted is one grade for each of "
            f"{', '.join(question.criteria)}"
        )
    return {c: _whole(value[c], question.scale, f"{question.name}: {c}") for c in question.criteria}


def _ranking(question: Question, value: object, shown: int) -> list[int]:
    if not isinstance(value, Sequence) or sorted(value) != list(range(shown)):
        raise SettingsError(
            f"{question.name}: found {value!r}, accepted is every position 0 to {shown - 1} once, best first"
        )
    return [int(position) for position in value]


def _text(question: Question, value: object, shown: int) -> str:
    if not isinstance(value, str) or len(value) > LONGEST_TEXT:
        raise SettingsError(f"{question.name}: accepted is a text of at most {LONGEST_TEXT} characters")
    return value


_CHECKS: dict[str, Callable[[Question, object, int], Any]] = {
    "2afc": _choice(SIDES), "yes-no": _choice(("yes", "no")), "rating": _rating, "grading": _grading,
    "ranking": _ranking, "text": _text,
}  # fmt: skip
