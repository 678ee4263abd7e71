"""A suite: everything that makes a table of systems, in one YAML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

import yaml

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.evaluation.suite_entries import (
    Phantom,
    Slab,
    SystemEntry,
    TorsoPhantom,
    Triple,
    View,
    VolumeEntry,
    check_file_name,
    check_triple,
    check_whole,
)
from napari_vol2vol.options import options_of, resolve
from napari_vol2vol.tasks.contrast_change import CT, ContrastChange
from napari_vol2vol.tasks.registry import get_task
from napari_vol2vol.tasks.super_resolution import SuperResolution

Section = TypeVar("Section")


@dataclass(frozen=True)
class Suite:
    """See `src/napari_vol2vol/evaluation/suites/*.yaml` for the shipped ones.

    ``target`` is the modality of the result and the reference. Super-resolution makes its input from the
    reference by block means of ``factor``; ``inputs`` are then further modalities on the fine grid. Modality
    translation starts from ``inputs``, the first being the source; contrast removal and addition make one
    phase (``target`` native or arterial) from the other, the input ``CT``. Reconstruction measures a ``slab``
    of the reference as ``simulation`` says, by the names of the task's settings. ``bundle`` is that of every
    system that needs one and names none. ``samples`` are drawn for each of ``seeds`` by systems that draw
    any. ``baseline`` is the label of the system that differences are taken to (empty: none). ``folder`` is
    where relative file names start.
    """

    name: str
    task: str
    target: str
    volumes: tuple[VolumeEntry, ...]
    systems: tuple[SystemEntry, ...]
    title: str = ""
    factor: Triple | None = None
    inputs: tuple[str, ...] = ()
    block: int | None = None
    slab: Slab | None = None
    simulation: Mapping[str, Any] = field(default_factory=dict)
    bundle: str | None = None
    seeds: tuple[int, ...] = (0,)
    samples: int = 5
    baseline: str = ""
    device: str = "auto"
    precision: str = "auto"
    view: View = field(default_factory=View)
    folder: Path = field(default=Path(), metadata={"yaml": False})

    def __post_init__(self) -> None:
        check_file_name("name", self.name)
        check_whole("samples", self.samples, 1)
        for seed in self.seeds:
            check_whole("seeds", seed, 0)
        if self.factor is not None:
            check_triple("factor", self.factor, 1)
        if self.block is not None:
            check_whole("block", self.block, 11)
        for name, values in (("volumes", [v.name for v in self.volumes]), ("systems", self.labels),
                             ("seeds", self.seeds)):  # fmt: skip
            if not values or len(set(values)) < len(values):
                raise SettingsError(f"{name}: found {list(values)}, accepted are one or more, each once")
        self._check_names()

    def _check_names(self) -> None:
        task = get_task(self.task)
        if strangers := [s.system for s in self.systems if s.system not in task.systems]:
            raise SettingsError(
                f"systems: found {', '.join(strangers)}, task {task.name} accepts {', '.join(task.systems)}"
            )
        if self.baseline and self.baseline not in self.labels:
            raise SettingsError(f"baseline: found {self.baseline!r}, accepted are {', '.join(self.labels)}")
        if not (self.degrades or self.measures) and not self.inputs:
            raise SettingsError(f"inputs: found none, task {task.name} starts from at least one modality")
        if self.target in self.inputs:
            raise SettingsError(f"inputs: found the target {self.target} among them, accepted are others")
        resolve(options_of(task.simulation), self.simulation, f"simulation: task {task.name}")
        self._check_kinds()
        if self.measures and (self.block or any(v.block for v in self.volumes)):
            raise SettingsError(f"block: found one, task {task.name} accepts a slab")
        if not self.measures and (self.slab or any(v.slab for v in self.volumes)):
            raise SettingsError(f"slab: found one, task {task.name} accepts a block")

    def _check_kinds(self) -> None:
        """Heads and torsos are for their own tasks, and a torso knows one phase as the result of a task."""
        task = get_task(self.task)
        if isinstance(task, ContrastChange) and self.target != task.target:
            raise SettingsError(f"target: found {self.target}, task {task.name} accepts {task.target}")
        if isinstance(task, ContrastChange) and self.inputs != (CT,):
            raise SettingsError(f"inputs: found {list(self.inputs)}, task {task.name} accepts [{CT}]")
        if not self.changes_contrast and any(v.torso for v in self.volumes):
            raise SettingsError(f"torso: found one, task {task.name} accepts heads (phantom) and files")
        if self.changes_contrast and any(v.phantom for v in self.volumes):
            raise SettingsError(f"phantom: found a head, task {task.name} accepts a torso and files")

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the systems' rows."""
        return tuple(entry.label for entry in self.systems)

    @property
    def degrades(self) -> bool:
        """Whether the input is made from the reference, as block means."""
        return isinstance(get_task(self.task), SuperResolution)

    @property
    def measures(self) -> bool:
        """Whether the input is a measurement simulated from the reference."""
        return get_task(self.task).simulation is not None

    @property
    def changes_contrast(self) -> bool:
        """Whether source and result are two phases of one CT."""
        return isinstance(get_task(self.task), ContrastChange)

    @property
    def modalities(self) -> tuple[str, ...]:
        """Every modality that a volume has to bring, the target first."""
        return (self.target, *self.inputs)

    def only(self, labels: Sequence[str]) -> Suite:
        """Return the suite with these systems alone; the baseline goes where it is not among them.

        Raises
        ------
        SettingsError
            If a label is not in the suite.
        """
        if unknown := [name for name in labels if name not in self.labels]:
            raise SettingsError(
                f"only: found {', '.join(unknown)}, suite {self.name} has {', '.join(self.labels)}"
            )
        kept = tuple(entry for entry in self.systems if entry.label in labels)
        return replace(self, systems=kept, baseline=self.baseline if self.baseline in labels else "")


def shipped_suites() -> tuple[str, ...]:
    """Return the names of the suites in this package."""
    folder = resources.files("napari_vol2vol.evaluation") / "suites"
    return tuple(sorted(f.name[:-5] for f in folder.iterdir() if f.name.endswith(".yaml")))


def load_suite(name_or_path: str | Path) -> Suite:
    """Read a suite by the name of a shipped one or from a YAML file.

    Raises
    ------
    SettingsError
        If it does not exist, is not YAML, or a field is unknown, missing or wrong; the message names it.
    """
    path, where = Path(name_or_path), f"suite {name_or_path}"
    if path.suffix not in {".yaml", ".yml"}:
        if str(name_or_path) not in shipped_suites():
            raise SettingsError(
                f"suite: found {str(name_or_path)!r}, shipped are {', '.join(shipped_suites())} "
                "(or give a .yaml file)"
            )
        folder = resources.files("napari_vol2vol.evaluation") / "suites"
        text = (folder / f"{name_or_path}.yaml").read_text(encoding="utf-8")
    elif path.is_file():
        text = path.read_text(encoding="utf-8")
    else:
        raise SettingsError(f"suite: {path} does not exist")
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SettingsError(f"{where}: found no valid YAML ({' '.join(str(error).split())})") from error
    return replace(_suite(values, where), folder=path.parent)


def _suite(values: object, where: str) -> Suite:
    nested = dict(_mapping(values, where))
    if "volumes" in nested:
        nested["volumes"] = [
            _volume(v, f"{where}: volumes[{i}]") for i, v in enumerate(_list(nested, "volumes", where))
        ]
    if "systems" in nested:
        nested["systems"] = [
            _section(SystemEntry, {"system": v} if isinstance(v, str) else v, f"{where}: systems[{i}]")
            for i, v in enumerate(_list(nested, "systems", where))
        ]
    if nested.get("slab") is not None:
        nested["slab"] = _section(Slab, nested["slab"], f"{where}: slab")
    if "view" in nested:
        nested["view"] = _section(View, nested["view"], f"{where}: view")
    return _section(Suite, nested, where)


def _volume(values: object, where: str) -> VolumeEntry:
    nested: dict[str, Any] = {"name": values} if isinstance(values, str) else dict(_mapping(values, where))
    if nested.get("phantom") is not None:
        nested["phantom"] = _section(Phantom, nested["phantom"], f"{where}: phantom")
    if nested.get("torso") is not None:
        nested["torso"] = _section(TorsoPhantom, nested["torso"], f"{where}: torso")
    if nested.get("slab") is not None:
        nested["slab"] = _section(Slab, nested["slab"], f"{where}: slab")
    for key in ("files", "fetched"):
        if key in nested:
            nested[key] = {str(m): str(v) for m, v in _mapping(nested[key], f"{where}: {key}").items()}
    return _section(VolumeEntry, nested, where)


def _mapping(values: object, where: str) -> Mapping[str, Any]:
    if not isinstance(values, Mapping):
        raise SettingsError(f"{where}: found {values!r}, accepted are fields (name: value)")
    return values


def _list(values: Mapping[str, Any], name: str, where: str) -> list[Any]:
    found = values[name]
    if not isinstance(found, list):
        raise SettingsError(f"{where}: {name}: found {found!r}, accepted is a list")
    return found


def _section(kind: type[Section], values: object, where: str) -> Section:
    """Build a dataclass from YAML; lists become tuples, and every mistake is named after ``where``."""
    given = _mapping(values, where)
    own = [f for f in fields(kind) if f.metadata.get("yaml", True)]  # type: ignore[arg-type]
    known = {f.name: f for f in own}
    if unknown := sorted(set(given) - set(known)):
        raise SettingsError(
            f"{where}: unknown fields {', '.join(unknown)}; known are {', '.join(sorted(known))}"
        )
    needed = [n for n, f in known.items() if f.default is MISSING and f.default_factory is MISSING]
    if missing := [name for name in needed if name not in given]:
        raise SettingsError(f"{where}: missing fields {', '.join(missing)}")
    arguments = {k: _frozen(v, str(known[k].type), f"{where}: {k}") for k, v in given.items()}
    try:
        return kind(**arguments)
    except SettingsError as error:
        raise SettingsError(f"{where}: {error}") from error


def _frozen(value: Any, kind: str, where: str) -> Any:
    """Return a YAML value as its field wants it: lists as tuples; anything of another kind is refused."""
    if value is None and "None" in kind:
        return None
    word = kind.partition("[")[0].partition(" ")[0]
    accepted = _KINDS.get(word)
    if accepted is None:
        return value
    types, words = accepted
    if not isinstance(value, types) or (isinstance(value, bool) and word != "bool"):
        raise SettingsError(f"{where}: found {value!r}, accepted is {words}")
    return tuple(value) if isinstance(value, list) else value


_KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    "tuple": ((list,), "a list"),
    "Triple": ((list,), "a list of three whole numbers (z, y, x)"),
    "str": ((str,), "a text"),
    "int": ((int,), "a whole number"),
    "float": ((int, float), "a number"),
    "bool": ((bool,), "true or false"),
    "Mapping": ((dict,), "fields (name: value)"),
}
