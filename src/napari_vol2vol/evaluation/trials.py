"""From a suite to trials: every system with its bundle, seeds and steps on one case, nothing run yet."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from math import lcm
from typing import Any

from napari_vol2vol import __version__
from napari_vol2vol.bundles.card import BundleCard
from napari_vol2vol.bundles.library import find_bundle, list_bundles
from napari_vol2vol.engine import Translation
from napari_vol2vol.engine.run import Job, resolve
from napari_vol2vol.errors import BundleError, SettingsError
from napari_vol2vol.evaluation.cases import Case
from napari_vol2vol.evaluation.suite import Suite
from napari_vol2vol.evaluation.suite_entries import SystemEntry
from napari_vol2vol.sampling.measurement import BASE
from napari_vol2vol.systems.registry import get_system

#: Fields of `SystemEntry` that `trials_of` passes on itself, or that are no settings.
OWN = ("system", "label", "steps", "bundle")


@dataclass(frozen=True)
class Trial:
    """One row before it is run: one system with one seed on one case, every name resolved."""

    case: Case
    label: str
    request: Translation
    job: Job

    def digest(self) -> str:
        """Return a sha256 of all that decides the figures: voxels, request, defaults, weights, version."""
        card = self.job.card
        settings = {
            "case": [self.case.name, self.case.unit, self.case.digest()],
            "label": self.label,
            "request": replace(self.request, bundle=None if card is None else card.name).as_dict(),
            # what the request leaves open is decided by defaults, which change
            "settled": [dict(self.job.options), self.job.solver, self.job.eta],
            "weights": card and [card.weights, card.requires],
            "device": self.job.plan.device,
            "version": __version__,
        }
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def trials_of(suite: Suite, case: Case) -> list[Trial]:
    """Return every trial of a case; one seed is enough for systems that draw nothing.

    Raises
    ------
    Vol2VolError
        If a system has no bundle for the suite, or two systems would draw different noise.
    """
    trials = []
    for entry in suite.systems:
        card = bundle_of(suite, entry, case)
        info = get_system(entry.system)
        drawing = info.stochastic
        steps = entry.steps or info.steps(card)
        settings = _settings(suite, entry, card)
        for seed in suite.seeds if drawing else (0,):
            request = Translation(
                suite.task, entry.system, steps=steps if drawing else 1,
                samples=suite.samples if drawing else 1, seed=seed, factor=case.factor,
                device=suite.device, precision=suite.precision, **settings,
            )  # fmt: skip
            job = resolve(request, case.source, case.conditions)
            trials.append(Trial(case, entry.label, request, job))
    _check_same_noise(case, trials)
    return trials


def _settings(suite: Suite, entry: SystemEntry, card: BundleCard | None) -> dict[str, Any]:
    """Return the fields of `Translation` that an entry sets, and its bundle."""
    given = {k: v for k, v in asdict(entry).items() if v is not None and k not in OWN}
    if card is None:
        return given
    wanted = entry.bundle or suite.bundle
    return given | {"bundle": card.name if wanted is None else _in_folder(suite, wanted)}


def bundle_of(suite: Suite, entry: SystemEntry, case: Case | None = None) -> BundleCard | None:
    """Return the bundle of an entry: the one it names, or the suite, or the first that fits.

    One fits that makes the target from the inputs; a prior fits images of the channels that were measured in
    ``case``.

    Raises
    ------
    BundleError
        If there is none, or the named one makes another modality or needs other inputs.
    """
    if not get_system(entry.system).needs_bundle:
        if entry.bundle is not None:
            raise BundleError(f"bundle: found {entry.bundle}, system {entry.system} takes none")
        return None
    if suite.measures:
        wanted_prior = entry.bundle or suite.bundle
        name = None if wanted_prior is None else _in_folder(suite, wanted_prior)
        return find_bundle(name, suite.task, entry.system, (suite.target,), _channels(case))
    inputs = {BASE, *suite.inputs}
    wanted = f"{suite.target} from {', '.join(suite.inputs) or 'block means'}"
    if entry.bundle is None:
        fitting = list_bundles(suite.task, entry.system)
        for card in fitting:
            if card.target == suite.target and inputs.issuperset(card.inputs):
                return card
        raise BundleError(
            f"system {entry.label}: found no installed bundle of {entry.system} for {suite.task} that makes "
            f"{wanted}; there are {', '.join(c.name for c in fitting) or 'none'}"
        )
    card = find_bundle(_in_folder(suite, entry.bundle), suite.task, entry.system)
    if card.target != suite.target or not inputs.issuperset(card.inputs):
        raise BundleError(
            f"system {entry.label}: bundle {card.name} makes {card.target} from {', '.join(card.inputs)}, "
            f"the suite asks for {wanted}"
        )
    return card


def _channels(case: Case | None) -> int | None:
    """Return the channels of the image that was measured, None where that is not known."""
    measured = None if case is None else case.source.measured
    return None if measured is None else 1 + measured.complex_image


def _in_folder(suite: Suite, bundle: str) -> str:
    """Return a bundle's folder where the name is one, seen from the suite's file; else the name."""
    folder = suite.folder / bundle
    return str(folder) if (folder / "metadata.json").is_file() else bundle


def _check_same_noise(case: Case, trials: Sequence[Trial]) -> None:
    """Noise is drawn on the padded grid: refuse blocks that networks would pad to different shapes."""
    multiples = {t.job.multiple for t in trials if get_system(t.request.system).stochastic}
    units = {m: [lcm(m, k) for k in case.factor] for m in multiples}
    shape = case.reference.shape
    if len({tuple(-(-n // u) * u for n, u in zip(shape, unit, strict=True)) for unit in units.values()}) > 1:
        raise SettingsError(
            f"block: found {shape} voxels in {case.name}, accepted are multiples of "
            f"{lcm(*multiples, *case.factor)}, so that every system draws the same noise"
        )
