"""What a suite lists: volumes, systems, and the view that its figures show."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from napari_vol2vol.ct_windows import CT_WINDOWS
from napari_vol2vol.errors import SettingsError
from napari_vol2vol.phantoms.brain import Contrast

CONTRASTS: tuple[str, ...] = get_args(Contrast)
Triple = tuple[int, int, int]


def check_whole(name: str, value: object, low: int) -> None:
    """Raise `SettingsError` unless a value is a whole number of at least ``low``."""
    if isinstance(value, bool) or not isinstance(value, int) or value < low:
        raise SettingsError(f"{name}: found {value!r}, accepted is a whole number of at least {low}")


def check_triple(name: str, value: object, low: int) -> None:
    """Raise `SettingsError` unless a value is three whole numbers of at least ``low``."""
    three = value if isinstance(value, tuple) and len(value) == 3 else (None,)
    if not all(isinstance(v, int) and not isinstance(v, bool) and v >= low for v in three):
        raise SettingsError(
            f"{name}: found {value!r}, accepted are three whole numbers of at least {low} (z, y, x)"
        )


def check_file_name(name: str, value: object) -> None:
    """Raise `SettingsError` unless a value is a text that can name a file."""
    if not isinstance(value, str) or not re.fullmatch(r"\w[\w .,+=()λ-]*", value):
        raise SettingsError(f"{name}: found {value!r}, accepted is a text that can be a file's name")


def check_above_zero(name: str, value: object) -> None:
    """Raise `SettingsError` unless a value is a number above 0."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise SettingsError(f"{name}: found {value!r}, accepted is a number above 0")


@dataclass(frozen=True)
class Phantom:
    """A procedural head of ``shape`` (z, y, x) voxels of 1 mm, in ``contrasts`` (empty: those needed).

    Training draws its heads from seeds of the form 1000 x recipe seed + i: a seed far from those is held out.
    ``lesion`` None plants one in a third of the seeds.
    """

    seed: int
    shape: Triple = (160, 192, 160)
    lesion: bool | None = None
    contrasts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_whole("seed", self.seed, 0)
        check_triple("shape", self.shape, 8)
        if self.lesion not in (True, False, None):
            raise SettingsError(f"lesion: found {self.lesion!r}, accepted are true, false and null")
        if unknown := [c for c in self.contrasts if c not in CONTRASTS]:
            raise SettingsError(f"contrasts: found {', '.join(unknown)}, accepted are {', '.join(CONTRASTS)}")


@dataclass(frozen=True)
class TorsoPhantom:
    """A procedural patient, native and in the arterial phase without another breath between them.

    ``shape`` (z, y, x) voxels of ``spacing_mm``; ``noise`` is that of both scans in HU (None: the patient's
    own). Training draws its patients from seeds of the form 1000 x recipe seed + i.
    """

    seed: int
    shape: Triple = (64, 160, 192)
    spacing_mm: tuple[float, float, float] = (3.0, 2.0, 2.0)
    noise: float | None = None

    def __post_init__(self) -> None:
        check_whole("seed", self.seed, 0)
        check_triple("shape", self.shape, 16)
        if len(self.spacing_mm) != 3:
            raise SettingsError(
                f"spacing_mm: found {self.spacing_mm!r}, accepted are three numbers (z, y, x)"
            )
        for spacing in self.spacing_mm:
            check_above_zero("spacing_mm", spacing)
        if self.noise is not None:
            check_above_zero("noise", self.noise)


@dataclass(frozen=True)
class Slab:
    """``slices`` axial slices around ``centre``, a share of the height; ``size`` pixels on the long side."""

    slices: int
    size: int
    centre: float = 0.5

    def __post_init__(self) -> None:
        check_whole("slices", self.slices, 1)
        check_whole("size", self.size, 16)
        if not 0 <= self.centre <= 1:
            raise SettingsError(f"centre: found {self.centre!r}, accepted is a share from 0 to 1")


@dataclass(frozen=True)
class VolumeEntry:
    """One volume: ``files`` by modality, a ``phantom``, a ``torso``, or none: ``name`` is a fetched volume's.

    ``fetched`` names the fetched volume of each modality of one patient; they are brought onto the grid of
    the target, first to cubes of ``spacing_mm`` where that is given. Files of two phases of a CT may bring
    ``regions``: 1 in large arteries, 2 in organs, 0 elsewhere. ``block`` is the edge in voxels of the central
    cube that counts, ``slab`` the slices of a reconstruction (None: those of the suite).
    """

    name: str
    files: Mapping[str, str] = field(default_factory=dict)
    fetched: Mapping[str, str] = field(default_factory=dict)
    spacing_mm: float | None = None
    phantom: Phantom | None = None
    torso: TorsoPhantom | None = None
    block: int | None = None
    slab: Slab | None = None

    def __post_init__(self) -> None:
        check_file_name("name", self.name)
        if self.block is not None:
            check_whole("block", self.block, 11)
        if self.spacing_mm is not None:
            check_above_zero("spacing_mm", self.spacing_mm)
        given = {"files": self.files, "fetched": self.fetched, "phantom": self.phantom, "torso": self.torso}
        if len(found := [name for name, value in given.items() if value]) > 1:
            raise SettingsError(f"{' and '.join(found)}: found {len(found)}, accepted is one of them")


@dataclass(frozen=True)
class SystemEntry:
    """One system as it is run, as fields of `Translation`; ``label`` (default: the system) names its rows.

    ``options`` are those of the system. ``bundle`` None takes that of the suite, or the first installed one
    that makes the target from the suite's inputs, ``steps`` None the bundle's or the system's own number;
    None elsewhere is the default of `Translation`.
    """

    system: str
    bundle: str | None = None
    steps: int | None = None
    solver: str | None = None
    eta: float | None = None
    fusion_lambda: float | None = None
    consistency: bool | None = None
    plane: str | None = None
    weights: tuple[float, ...] | None = None
    options: Mapping[str, Any] | None = None
    label: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "label", self.label or self.system)
        check_file_name("label", self.label)


@dataclass(frozen=True)
class View:
    """What the figures show.

    ``point`` and ``zoom_centre`` are voxels (z, y, x) of the block (None: its centre, the point);
    ``zoom_size`` is the edge of the zoomed cube in voxels; ``window`` names one of `CT_WINDOWS` (None: grey
    from 0 to 1); the limits are shares of the data range.
    """

    point: Triple | None = None
    zoom_centre: Triple | None = None
    zoom_size: int = 32
    window: str | None = None
    uncertainty_limit: float = 0.1
    error_limit: float = 0.2

    def __post_init__(self) -> None:
        for name in ("point", "zoom_centre"):
            if getattr(self, name) is not None:
                check_triple(name, getattr(self, name), 0)
        check_whole("zoom_size", self.zoom_size, 4)
        if self.window is not None and self.window not in CT_WINDOWS:
            raise SettingsError(f"window: found {self.window!r}, accepted are {', '.join(CT_WINDOWS)}")
        check_above_zero("uncertainty_limit", self.uncertainty_limit)
        check_above_zero("error_limit", self.error_limit)
