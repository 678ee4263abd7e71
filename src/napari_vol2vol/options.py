"""Settings that say of themselves what they are: name, default, range, words.

Systems and simulations declare them; the command line parses them, the dock builds fields from them, and the
provenance records them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from math import isfinite
from typing import Any, TypeVar

from napari_vol2vol.errors import SettingsError

Value = float | int | str | bool | None
Settings = TypeVar("Settings")
#: What stands for None in texts: the value is chosen by the task at hand.
AUTO = "auto"
_KEY = "option"


@dataclass(frozen=True)
class Option:
    """One setting.

    ``default`` also tells the type; ``low`` and ``high`` are the accepted range, ends included. ``optional``
    settings accept None, whose meaning ``words`` tells; ``kind`` is the type of the others where the default
    is None.
    """

    name: str
    default: Value
    words: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    label: str = ""
    unit: str = ""
    optional: bool = False
    kind: type = field(default=object)

    def __post_init__(self) -> None:
        object.__setattr__(self, "label", self.label or self.name.replace("_", " ").capitalize())
        if self.kind is object:
            object.__setattr__(self, "kind", type(self.default))

    @property
    def accepted(self) -> str:
        """What is accepted, in words."""
        if self.choices:
            text = ", ".join(self.choices)
        elif self.kind is bool:
            text = "true and false"
        elif self.kind is str:
            text = "a text"
        else:
            noun = "whole numbers" if self.kind is int else "numbers"
            ends = [f"from {self.low:g}"] if self.low is not None else []
            ends += [f"to {self.high:g}"] if self.high is not None else []
            text = " ".join([noun, *ends])
        return f"{text}, or {AUTO}" if self.optional else text

    def check(self, value: object) -> Value:
        """Return the value in the option's type.

        Raises
        ------
        SettingsError
            If it is not accepted.
        """
        if value is None and self.optional:
            return None
        if self.kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if type(value) is not self.kind or not self._within(value):
            raise SettingsError(f"{self.name}: found {value!r}, accepted are {self.accepted}")
        return value  # type: ignore[return-value]

    def parse(self, text: str) -> Value:
        """Return the value that a text stands for; see `check`."""
        if self.optional and text == AUTO:
            return None
        value: object = text
        if self.kind is bool:
            value = {"true": True, "false": False}.get(text.lower(), text)
        elif self.kind in (int, float):
            try:
                value = self.kind(text)
            except ValueError:
                value = text
        return self.check(value)

    def _within(self, value: Any) -> bool:
        if self.choices:
            return value in self.choices
        if self.kind in (int, float):
            low, high = self.low, self.high
            return isfinite(value) and (low is None or value >= low) and (high is None or value <= high)
        return True


def resolve(options: Iterable[Option], given: Mapping[str, Value], what: str) -> dict[str, Value]:
    """Return the value of every option: the one given, checked, or else the default.

    Raises
    ------
    SettingsError
        If a name is none of the options of ``what``, or a value is not accepted.
    """
    known = {option.name: option for option in options}
    if unknown := [name for name in given if name not in known]:
        raise SettingsError(
            f"option: found {', '.join(unknown)}, {what} accepts {', '.join(known) or 'no options'}"
        )
    return {name: option.check(given.get(name, option.default)) for name, option in known.items()}


def setting(default: Value, words: str, **more: Any) -> Any:
    """Return the field of a frozen dataclass of settings; ``more`` are fields of `Option`."""
    return field(default=default, metadata={_KEY: {"words": words, **more}})


def options_of(kind: type | None) -> tuple[Option, ...]:
    """Return the options that a dataclass of settings has; none for None."""
    if kind is None:
        return ()
    return tuple(
        Option(f.name, f.default, **f.metadata[_KEY])
        for f in fields(kind)
        if _KEY in f.metadata and f.default is not MISSING
    )


def check_settings(settings: object) -> None:
    """Check every field of a dataclass of settings; for its ``__post_init__``.

    Raises
    ------
    SettingsError
        If one is not accepted.
    """
    for option in options_of(type(settings)):
        object.__setattr__(settings, option.name, option.check(getattr(settings, option.name)))


def from_options(kind: type[Settings], given: Mapping[str, Value]) -> Settings:
    """Return settings of a dataclass from values by name; unknown names raise `SettingsError`."""
    return kind(**resolve(options_of(kind), given, kind.__name__))
