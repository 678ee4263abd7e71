"""Lessons: Markdown files whose steps set the docks. Reading and checking them, without Qt.

A lesson begins with a front matter between lines of ``---`` (``title``, ``minutes``). Each heading ``## ...``
begins a step; a fenced block ``yaml`` in it says what *Do it* does (`ACTIONS`), the rest is its text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from napari_vol2vol.errors import SettingsError

#: What a step can do, in this order: name -> type and words.
ACTIONS: dict[str, tuple[type, str]] = {
    "samples": (list, "keys of File > Open Sample"),
    "crop": (dict, "layer, slices [first, end] along z, and the name of the new layer"),
    "docks": (list, "docks to open, by their names in the menu"),
    "volume": (str, "layer to translate"),
    "reference": (str, "layer that is the truth, or none"),
    "settings": (dict, "fields of the Translate dock"),
    "run": (bool, "start the run"),
    "show": (str, "layer of the newest run to show: x0, mean, uncertainty or error"),
    "trajectory": (dict, "what of the newest recorded run to show (x0, x_t, noise), and at which step"),
}
SHOWN = ("x0", "mean", "uncertainty", "error", "fixed prior")
CROP_KEYS, TRAJECTORY_KEYS = {"layer", "slices", "name"}, {"show", "step"}
_FENCE = re.compile(r"^```ya?ml\s*\n(.*?)^```\s*$", re.DOTALL | re.MULTILINE)
_FRONT = re.compile(r"\A---\s*\n(.*?)^---\s*$\n?", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class LessonStep:
    """One page of a lesson: its Markdown, and what *Do it* does."""

    title: str
    text: str
    actions: Mapping[str, Any]


@dataclass(frozen=True)
class Lesson:
    """A lesson as it stands in its file; ``minutes`` is about how long it takes."""

    title: str
    steps: tuple[LessonStep, ...]
    minutes: int | None = None


def own_lessons() -> Path:
    """Return the folder of the lessons that come with the package."""
    return Path(__file__).parents[1] / "lessons"


def lesson_files(*folders: Path) -> list[Path]:
    """Return the Markdown files of folders, in their order and by name; a folder may be missing."""
    return [path for folder in folders for path in sorted(folder.glob("*.md"))]


def read_lesson(path: Path) -> Lesson:
    """Read a lesson.

    Raises
    ------
    SettingsError
        Where the file is no lesson; the message names file, step and field.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"lesson {path.name}: cannot be read ({error})") from error
    front = _FRONT.match(text)
    values = _yaml(front[1], f"lesson {path.name}: front matter") if front else {}
    if not isinstance(values.get("title"), str):
        raise SettingsError(f"lesson {path.name}: title: found none, accepted is a front matter with a title")
    minutes = values.get("minutes")
    if minutes is not None and not isinstance(minutes, int):
        raise SettingsError(f"lesson {path.name}: minutes: found {minutes!r}, accepted is a whole number")
    parts = re.split(r"^## +", text[front.end() if front else 0 :], flags=re.MULTILINE)[1:]
    if not parts:
        raise SettingsError(f"lesson {path.name}: steps: found none, accepted are headings '## ...'")
    return Lesson(values["title"], tuple(_step(part, path.name) for part in parts), minutes)


def _step(part: str, file: str) -> LessonStep:
    title, _, body = part.partition("\n")
    where = f"lesson {file}: step {title.strip()!r}"
    blocks = _FENCE.findall(body)
    if len(blocks) > 1:
        raise SettingsError(f"{where}: found {len(blocks)} yaml blocks, accepted is one at most")
    actions = _yaml(blocks[0], where) if blocks else {}
    for name, value in actions.items():
        if name not in ACTIONS:
            raise SettingsError(f"{where}: found {name}; accepted are {', '.join(ACTIONS)}")
        kind, words = ACTIONS[name]
        if not isinstance(value, kind):
            raise SettingsError(f"{where}: {name}: found {value!r}, accepted is a {kind.__name__}: {words}")
    if actions.get("show", "x0") not in SHOWN:
        raise SettingsError(f"{where}: show: found {actions['show']}, accepted are {', '.join(SHOWN)}")
    for name, keys in (("crop", CROP_KEYS), ("trajectory", TRAJECTORY_KEYS)):
        if name in actions and set(actions[name]) != keys:
            raise SettingsError(
                f"{where}: {name}: found {', '.join(actions[name])}; needed are {', '.join(sorted(keys))}"
            )
    return LessonStep(title.strip(), _FENCE.sub("", body).strip(), actions)


def _yaml(text: str, where: str) -> dict[str, Any]:
    try:
        values = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise SettingsError(f"{where}: no valid YAML ({error})") from error
    if not isinstance(values, dict):
        raise SettingsError(f"{where}: found {values!r}, accepted are lines of the form name: value")
    return values
