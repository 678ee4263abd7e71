"""From the volumes that a suite lists to cases: what every system is given, and the truth it is held to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType

import numpy as np

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.evaluation.phases import REGIONS, Mask, regions_of, scanned
from napari_vol2vol.evaluation.scans import on_one_grid
from napari_vol2vol.evaluation.slabs import slab_of
from napari_vol2vol.evaluation.suite import Suite
from napari_vol2vol.evaluation.suite_entries import Phantom, Triple, VolumeEntry
from napari_vol2vol.evaluation.super_resolution_table import central_block
from napari_vol2vol.io import read_volume
from napari_vol2vol.io.provenance import array_sha256
from napari_vol2vol.metrics.fidelity import PERCENTILE
from napari_vol2vol.options import from_options
from napari_vol2vol.phantoms.brain import make_anatomy, paint
from napari_vol2vol.physics.hounsfield import VACUUM_HU
from napari_vol2vol.tasks.contrast_change import CT, RANGE_HU
from napari_vol2vol.tasks.registry import get_task
from napari_vol2vol.volume import Volume, check_reference

#: Finds the files of fetched volumes by their names; raises `SettingsError` where one is missing.
Find = Callable[[tuple[str, ...]], Sequence[Path]]
NONE: Mapping[str, Volume] = MappingProxyType({})


@dataclass(frozen=True, eq=False)
class Case:
    """One volume of a suite, ready for every system.

    ``source`` and ``conditions`` are what `translate` takes. ``reference`` lies on the grid of the result
    ``(z, y, x)`` in shares of the data range; a result has to be divided by ``unit``, after ``zero`` has been
    taken off, to be in them too. ``phases`` says that source and reference are two phases of a CT, in one
    range of HU; ``regions`` are where its error is also looked at, by name.
    """

    name: str
    source: Volume
    reference: Volume
    unit: float
    factor: Triple
    conditions: Mapping[str, Volume] = field(default_factory=lambda: NONE)
    zero: float = 0.0
    phases: bool = False
    regions: Mapping[str, Mask] = field(default_factory=dict)

    def digest(self) -> dict[str, str]:
        """Return the sha256 of the voxels and affine of everything in the case, by what it is."""
        volumes = {"source": self.source, "reference": self.reference, **self.conditions}
        sums = {name: array_sha256(volume) for name, volume in volumes.items()}
        sums |= {
            f"region {n}": sha256(np.packbits(mask).tobytes()).hexdigest() for n, mask in self.regions.items()
        }
        measured = self.source.measured
        return sums if measured is None else sums | {"measured": measured.summary()["sha256"]}

    def scaled(self, result: Volume, *, difference: bool = False) -> Volume:
        """Return a result of `translate`, or a difference or spread of some, in shares of the data range."""
        zero = 0.0 if difference else self.zero
        if self.unit == 1 and zero == 0:
            return result
        return result.with_data((result.data - np.float32(zero)) / np.float32(self.unit))


def load_cases(suite: Suite, find: Find) -> Iterator[Case]:
    """Yield the cases of a suite in its order; each holds its volumes, cut to their block.

    Parameters
    ----------
    find : callable
        From the names of fetched volumes to their files.

    Raises
    ------
    SettingsError, VolumeError
        If a volume is not there, lacks a modality, or its modalities lie on different grids.
    """
    names = tuple(v.name for v in suite.volumes if not v.files and not v.fetched and _unmade(v))
    if names and suite.inputs:
        raise SettingsError(
            f"suite {suite.name}: volume {names[0]}: found one modality, {suite.target}; the inputs "
            f"{', '.join(suite.inputs)} need files (modality: path) or a "
            f"{'torso' if suite.changes_contrast else 'phantom'}"
        )
    names = tuple(dict.fromkeys([*names, *(name for v in suite.volumes for name in v.fetched.values())]))
    fetched = dict(zip(names, find(names) if names else (), strict=True))
    for entry in suite.volumes:
        volumes = _volumes(suite, entry, fetched)
        first = volumes[suite.target]
        for modality in (m for m in volumes if m != suite.target):
            check_reference(first, volumes[modality], f"volume {entry.name}, modality {modality},")
        yield _case(suite, entry, volumes)


def _unmade(entry: VolumeEntry) -> bool:
    """Whether a volume is neither procedural head nor torso."""
    return entry.phantom is None and entry.torso is None


def _volumes(suite: Suite, entry: VolumeEntry, fetched: Mapping[str, Path]) -> dict[str, Volume]:
    """Return the whole volumes of an entry by modality; their source is dropped, so files stay float32."""
    where = f"suite {suite.name}: volume {entry.name}"
    if entry.phantom is not None:
        return _painted(entry.phantom, suite.modalities, where)
    if entry.torso is not None:
        return scanned(entry.torso, suite.target)
    if entry.fetched:
        _check_modalities(entry.fetched, suite.modalities, f"{where}: fetched")
        found = {m: fetched[entry.fetched[m]] for m in suite.modalities}
        return on_one_grid(found, suite.target, entry.spacing_mm)
    files = {m: suite.folder / path for m, path in entry.files.items()}
    files = files or {suite.target: fetched[entry.name]}
    _check_modalities(files, suite.modalities, f"{where}: files")
    wanted = (*suite.modalities, *([REGIONS] if suite.changes_contrast and REGIONS in files else []))
    return {m: replace(read_volume(files[m]), modality=m, source=None) for m in wanted}


def _painted(phantom: Phantom, modalities: tuple[str, ...], where: str) -> dict[str, Volume]:
    contrasts = phantom.contrasts or modalities
    _check_modalities(dict.fromkeys(contrasts), modalities, f"{where}: phantom: contrasts")
    anatomy = make_anatomy(phantom.seed, phantom.shape, lesion=phantom.lesion)
    return {
        m: Volume.from_array(paint(anatomy, m, phantom.seed), modality=m)  # type: ignore[arg-type]
        for m in modalities
    }


def _check_modalities(given: Mapping[str, object], needed: tuple[str, ...], where: str) -> None:
    if missing := [m for m in needed if m not in given]:
        raise SettingsError(f"{where}: found {', '.join(given)}, the suite also needs {', '.join(missing)}")


def _case(suite: Suite, entry: VolumeEntry, volumes: Mapping[str, Volume]) -> Case:
    """Cut the blocks and make the input.

    A reference that the input is made from is scaled so that 1 is the 99.5th percentile of the whole volume,
    and clipped to [0, 1]; other modalities stay as they are, as tasks normalise them.
    """
    if suite.measures:
        return _measured(suite, entry, volumes[suite.target])
    task = get_task(suite.task)
    factor = suite.factor or task.default_factor
    block = entry.block or suite.block
    cut = {
        m: _whole_blocks(central_block(v, block, scaled=suite.degrades and m == suite.target), factor)
        for m, v in volumes.items()
    }
    truth = replace(cut[suite.target], name=entry.name)
    inputs = {m: replace(cut[m], name=f"{entry.name} {m}") for m in suite.inputs}
    if suite.degrades:
        return Case(entry.name, task.degrade(truth, factor), truth, 1.0, factor, inputs)
    if suite.changes_contrast:
        unit, zero, regions = RANGE_HU[1] - RANGE_HU[0], RANGE_HU[0], regions_of(cut.get(REGIONS))
        reference = truth.with_data((truth.data - np.float32(zero)) / np.float32(unit))
        return Case(
            entry.name, inputs[CT], reference, unit, factor, zero=zero, phases=True, regions=regions
        )  # fmt: skip
    matched = task.match(truth)
    unit = float(np.percentile(matched.data, PERCENTILE))
    reference = matched.with_data(matched.data / np.float32(unit))
    others = {m: v for m, v in inputs.items() if m != suite.inputs[0]}
    return Case(entry.name, inputs[suite.inputs[0]], reference, unit, factor, others)


def _measured(suite: Suite, entry: VolumeEntry, volume: Volume) -> Case:
    """Cut the slab and measure it; 1 is the 99.5th percentile of the slab, over vacuum where it is CT."""
    task, slab = get_task(suite.task), entry.slab or suite.slab
    truth = task.match(volume if slab is None else slab_of(volume, slab))
    truth = replace(truth, name=entry.name)
    zero = VACUUM_HU if suite.target == "CT" else 0.0
    unit = float(np.percentile(truth.data - zero, PERCENTILE))
    reference = truth.with_data((truth.data - np.float32(zero)) / np.float32(unit))
    assert task.simulation is not None
    source = task.degrade(truth, from_options(task.simulation, suite.simulation))
    return Case(entry.name, source, reference, unit, task.default_factor, zero=zero)


def _whole_blocks(volume: Volume, factor: Triple) -> Volume:
    """Cut off the voxels beyond the last whole block, at the far end of each axis."""
    keep = tuple(slice(0, n // k * k) for n, k in zip(volume.shape, factor, strict=True))
    return volume.with_data(volume.data[keep], affine=volume.affine)
