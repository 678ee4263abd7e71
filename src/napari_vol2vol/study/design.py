"""A reader study as its designer writes it down: arms, cases, readers, blocks, questions, rules.

Pure data. `napari_vol2vol.study.check` tells what is wrong with one, `napari_vol2vol.study.freeze` turns one
into the folder that readers get. Only the designer's side reads this file: it tells which volume is which.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.study.json_fields import canonical, decode, encode, read_json
from napari_vol2vol.study.questions import Question

Named = TypeVar("Named", Question, "Case", "Block", "Arm")
FORMAT = "napari-vol2vol reader study"
VERSION = 1


@dataclass(frozen=True)
class Arm:
    """One kind of volume that is compared: the real ones, or those of one system."""

    name: str
    title: str = ""
    generated: bool = False


@dataclass(frozen=True)
class VolumeFile:
    """A file of one arm of one case. ``path`` is absolute or relative to the study's folder."""

    path: str
    sha256: str = ""


@dataclass(frozen=True)
class Case:
    """One patient (or one body part): its volumes by arm, and findings by name (true where present)."""

    name: str
    volumes: Mapping[str, VolumeFile]
    findings: Mapping[str, bool] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class Item:
    """What one trial shows: one case, in one arm (a single), two (a pair) or more (a set)."""

    case: str
    arms: tuple[str, ...]


@dataclass(frozen=True)
class Block:
    """Trials that are read together.

    ``training`` items come first, give feedback and are not analysed. ``repeats`` is how many of ``items``
    come a second time, for the agreement of a reader with himself.
    """

    name: str
    items: tuple[Item, ...]
    questions: tuple[str, ...]
    title: str = ""
    instructions: str = ""
    training: tuple[Item, ...] = ()
    repeats: int = 0


@dataclass(frozen=True)
class Reader:
    """One reader; ``name`` is a code, not a person's name. ``experience`` in words, for the report."""

    name: str
    experience: str = ""


@dataclass(frozen=True)
class WindowPolicy:
    """How volumes are shown first, and whether readers may change it.

    ``preset`` is one of `CT_WINDOWS`; without one, ``percentiles`` of all voxels of the trial together are
    shown black and white. ``locked`` windows cannot be changed; others are logged with every change.
    """

    preset: str | None = None
    percentiles: tuple[float, float] = (1.0, 99.0)
    locked: bool = False
    presets: tuple[str, ...] = ()


@dataclass(frozen=True)
class Allocation:
    """Who reads what, where there are more cases than a reader can read.

    Each reader reads ``per_reader`` items of each block: the first ``anchors`` of them are the same for all
    readers, the others rotate over the readers. Null: everybody reads everything.
    """

    per_reader: int | None = None
    anchors: int = 0


@dataclass(frozen=True)
class Harmonise:
    """How blinded copies are made alike. See `napari_vol2vol.study.blinding`."""

    spacing_mm: tuple[float, float, float] | None = None
    shape: tuple[int, int, int] | None = None
    body_mask: bool = True
    units: str = "auto"


@dataclass(frozen=True)
class Study:
    """A whole study. ``seed`` feeds NumPy's PCG64; ``margin`` is the equivalence margin as a proportion.

    ``chance`` is the proportion of correct answers of a reader who sees no difference. ``washout_days`` is
    the least time between two blocks that show the same case. ``analysis`` is what the margin is for:
    ``superiority``, ``equivalence`` or ``non-inferiority``, fixed before reading.
    """

    name: str
    arms: tuple[Arm, ...]
    cases: tuple[Case, ...]
    readers: tuple[Reader, ...]
    questions: tuple[Question, ...]
    blocks: tuple[Block, ...]
    title: str = ""
    seed: int = 0
    margin: float | None = None
    alpha: float = 0.05
    analysis: str = "superiority"
    washout_days: float = 0.0
    counterbalance: bool = True
    window: WindowPolicy = field(default_factory=WindowPolicy)
    allocation: Allocation = field(default_factory=Allocation)
    harmonise: Harmonise = field(default_factory=Harmonise)
    end_text: str = "This is the end. Thank you."
    protocol: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    format: str = FORMAT
    version: int = VERSION

    def question(self, name: str) -> Question:
        """Return the question of a name; `SettingsError` where there is none."""
        return _named(self.questions, name, "question")

    def case(self, name: str) -> Case:
        """Return the case of a name; `SettingsError` where there is none."""
        return _named(self.cases, name, "case")

    def block(self, name: str) -> Block:
        """Return the block of a name; `SettingsError` where there is none."""
        return _named(self.blocks, name, "block")

    def arm(self, name: str) -> Arm:
        """Return the arm of a name; `SettingsError` where there is none."""
        return _named(self.arms, name, "arm")

    @property
    def sha256(self) -> str:
        """The sha256 of the design, whatever the layout of its file."""
        import hashlib

        return hashlib.sha256(canonical(encode(self))).hexdigest()


def read_study(path: Path) -> Study:
    """Read a study file.

    Raises
    ------
    SettingsError
        Names the field, what was found and what is accepted.
    """
    value = read_json(path, "a study file (JSON)")
    if value.get("format", FORMAT) != FORMAT:
        raise SettingsError(f"{path}: format: found {value['format']!r}, accepted is {FORMAT!r}")
    if value.get("version", VERSION) != VERSION:
        raise SettingsError(f"{path}: version: found {value['version']!r}, this installation reads {VERSION}")
    return decode(Study, value, path.name)


def resolved(path: str, folder: Path) -> Path:
    """Return where a volume file of a study in ``folder`` lies."""
    return Path(path) if Path(path).is_absolute() else folder / path


def _named(things: tuple[Named, ...], name: str, what: str) -> Named:
    for thing in things:
        if thing.name == name:
            return thing
    raise SettingsError(f"{what}: found {name!r}, accepted are {', '.join(t.name for t in things)}")
