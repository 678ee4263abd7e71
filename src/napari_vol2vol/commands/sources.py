"""What a translation starts from: a volume, one simulated from it, or raw data; and ``--set`` pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.options import Option, Value, from_options, options_of

if TYPE_CHECKING:
    from napari_vol2vol.tasks.registry import Task
    from napari_vol2vol.volume import Volume

Factor = tuple[int, int, int]


def is_raw(path: Path) -> bool:
    """Whether a file holds k-space or a sinogram, by its name."""
    from napari_vol2vol.io.raw_data import SUFFIXES

    return path.suffix in SUFFIXES


def settings_of(
    task: Task, system: str, path: Path, simulate: bool, pairs: Sequence[str]
) -> tuple[dict[str, Value], dict[str, Value]]:
    """Return the settings of the source and the options of the system among ``NAME=VALUE`` pairs.

    Raises
    ------
    SettingsError
        If a pair is malformed, its name unknown, or its value not accepted.
    """
    from napari_vol2vol.systems import get_system

    kind = task.simulation if simulate else task.loading if is_raw(path) else None
    own = {o.name: o for o in options_of(kind)}
    of_system = {o.name: o for o in get_system(system).options}
    source: dict[str, Value] = {}
    options: dict[str, Value] = {}
    for name, text in _pairs(pairs):
        if name in own:
            source[name] = own[name].parse(text)
        elif name in of_system:
            options[name] = of_system[name].parse(text)
        else:
            raise SettingsError(_unknown(name, own, of_system))
    return source, options


def parsed(options: Sequence[Option], pairs: Sequence[str]) -> dict[str, Value]:
    """Return the values of ``NAME=VALUE`` pairs; errors as in `settings_of`."""
    known = {o.name: o for o in options}
    values: dict[str, Value] = {}
    for name, text in _pairs(pairs):
        if name not in known:
            raise SettingsError(_unknown(name, known, {}))
        values[name] = known[name].parse(text)
    return values


def _pairs(pairs: Sequence[str]) -> list[tuple[str, str]]:
    found = []
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise SettingsError(f"set: found {pair!r}, accepted is NAME=VALUE (views=60)")
        found.append((name, text))
    return found


def _unknown(name: str, own: Mapping[str, Option], of_system: Mapping[str, Option]) -> str:
    accepted = ", ".join([*own, *of_system]) or "no settings"
    return f"set: found {name!r}, accepted here are {accepted}"


def read_source(
    task: Task,
    path: Path,
    *,
    simulate: bool,
    settings: Mapping[str, Value],
    factor: Factor | None = None,
    modality: str | None = None,
) -> tuple[Volume, Volume | None]:
    """Return the source, and the truth where the source is simulated from it.

    Raises
    ------
    SettingsError, VolumeError
        If the task cannot simulate or reads no raw data, or as reading does.
    """
    from napari_vol2vol.io import read_volume

    if is_raw(path):
        if simulate:
            raise SettingsError(
                f"simulate: found raw data in {path.name}, accepted is a volume to simulate from"
            )
        loaded = task.load(path, from_options(task.loading, settings) if task.loading else None)
        return (replace(loaded, modality=modality) if modality else loaded), None
    volume = read_volume(path)
    volume = replace(volume, modality=modality) if modality else volume
    return simulated(task, volume, settings, factor) if simulate else (volume, None)


def simulated(
    task: Task, volume: Volume, settings: Mapping[str, Value], factor: Factor | None = None
) -> tuple[Volume, Volume]:
    """Return what the task would have started from, and the part of the volume that it was made from."""
    wanted = factor or task.default_factor
    source = task.degrade(volume, from_options(task.simulation, settings) if task.simulation else wanted)
    shape = task.grid(source, wanted).shape
    if shape == volume.shape:
        return source, volume
    z, y, x = shape
    return source, volume.with_data(volume.data[:z, :y, :x], affine=volume.affine)
