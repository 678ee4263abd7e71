"""Run a translation: estimate it, stream it, keep what is finished."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from types import MappingProxyType

from napari_vol2vol.bundles.card import BundleCard, check_fit
from napari_vol2vol.bundles.library import PRIOR_TASK, find_bundle, inputs_of, required_bundles
from napari_vol2vol.bundles.weights import config_from_card
from napari_vol2vol.engine.allocation import reused_memory
from napari_vol2vol.engine.device import resolve_device, resolve_precision
from napari_vol2vol.engine.events import Event, SnapshotBox
from napari_vol2vol.engine.memory import Plan, estimate_bytes
from napari_vol2vol.engine.request import Translation
from napari_vol2vol.engine.sampling_run import SamplingRun
from napari_vol2vol.engine.stream import Emitter, stream
from napari_vol2vol.errors import RunError, SettingsError
from napari_vol2vol.networks.monai_unet import NetworkConfig
from napari_vol2vol.options import Value
from napari_vol2vol.options import resolve as resolve_options
from napari_vol2vol.systems.registry import get_system
from napari_vol2vol.tasks.registry import get_task
from napari_vol2vol.volume import Volume, check_image, check_reference

NONE: Mapping[str, Volume] = MappingProxyType({})
DEFAULT_SLICE_BATCH = {"cpu": 16, "cuda": 128, "mps": 32}


@dataclass(frozen=True)
class Estimate:
    """What a run is expected to need; ``seconds`` is rough, from this process's last runs, or None."""

    memory_bytes: int
    seconds: float | None
    device: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Job:
    """A request with its names resolved: nothing here holds weights."""

    request: Translation
    source: Volume
    card: BundleCard | None
    factor: tuple[int, int, int]
    plan: Plan
    plane_config: NetworkConfig | None
    volume_config: NetworkConfig | None
    conditions: Mapping[str, Volume]
    options: Mapping[str, Value] = field(default_factory=dict)

    @property
    def output_shape(self) -> tuple[int, int, int]:
        """Shape of the result `(z, y, x)`."""
        return get_task(self.request.task).grid(self.source, self.factor).shape

    @property
    def inputs(self) -> tuple[str, ...]:
        """Every condition that a network of this run wants."""
        return () if self.card is None else inputs_of(self.card)

    @property
    def solver(self) -> str:
        """The solver of the run: the one asked for, or the default of the system."""
        return get_system(self.request.system).solver(self.request.solver)

    @property
    def has_prior(self) -> bool:
        """Whether the bundle is a prior for every reconstruction, of no modality."""
        return self.card is not None and self.card.task == PRIOR_TASK

    @property
    def multiple(self) -> int:
        """What each axis of the padded grid must be divisible by; priors pad by themselves."""
        if self.has_prior:
            return 1
        configs = [c for c in (self.plane_config, self.volume_config) if c is not None]
        return max([1, *(c.multiple for c in configs)])

    @property
    def eta(self) -> float:
        """The stochasticity of the run: the one asked for, or that of the system."""
        wanted = self.request.eta
        return get_system(self.request.system).eta if wanted is None else wanted

    @property
    def twin(self) -> str | None:
        """The system with a fixed prior that runs after this one, if it was asked for."""
        wanted = self.options.get("compare") == "fixed"
        return get_system(self.request.system).twin if wanted else None

    def warnings(self) -> list[str]:
        """Return a sentence for each way in which the source lies outside what the bundle was trained on.

        Priors of reconstructions adapt to what they were not trained on.
        """
        if self.card is None or self.has_prior:
            return []
        return check_fit(self.card, self.source)

    @property
    def speed_key(self) -> tuple[str, str | None, str]:
        """What decides the speed of a step: system, bundle, device."""
        return self.request.system, None if self.card is None else self.card.name, self.plan.device

    def memory_bytes(self, itemsize: int = 2) -> int:
        """Estimated peak memory in bytes."""
        return estimate_bytes(self.output_shape, self.plan, itemsize, self.plane_config, self.volume_config)


#: Seconds per step and output voxel of the last finished run, by (system, bundle, device); this process only.
_SPEEDS: dict[tuple[str, str | None, str], float] = {}


def resolve(request: Translation, source: Volume, conditions: Mapping[str, Volume] = NONE) -> Job:
    """Look every name of a request up and fix the memory plan.

    Raises
    ------
    SettingsError, BundleError
        Where a name does not exist or does not fit the others.
    """
    task, system = get_task(request.task), get_system(request.system)
    if request.system not in task.systems:
        raise SettingsError(
            f"system {request.system} does not serve task {task.name}; {', '.join(task.systems)} do"
        )
    system.solver(request.solver)
    options = resolve_options(system.options, request.options, f"system {system.name}")
    if request.resume is not None and ("start" in options or not system.stochastic):
        raise SettingsError(
            f"resume: found system {system.name}, which starts from an estimate of its own; accepted are "
            "systems that start from noise"
        )
    card = None
    if system.needs_bundle:
        given = [v.modality for v in (source, *conditions.values()) if v.modality]
        channels = None if source.measured is None else 1 + source.measured.complex_image
        card = find_bundle(request.bundle, request.task, request.system, given, channels)
    plane_config, volume_config = _configs(card)
    device = resolve_device(request.device)
    batch = request.slice_batch or DEFAULT_SLICE_BATCH.get(device.type, 16)
    factor = card.factor if card is not None else request.factor or task.default_factor
    if request.factor is not None and request.factor != factor:
        raise SettingsError(
            f"factor: found {request.factor}, bundle {card and card.name} is for {factor} (z, y, x)"
        )
    return Job(
        request, source, card, factor, Plan(batch, None, str(device)), plane_config, volume_config,
        conditions, options,
    )  # fmt: skip


def _configs(card: BundleCard | None) -> tuple[NetworkConfig | None, NetworkConfig | None]:
    """Return the configurations of the 2D and the 3D network of a bundle and those it builds on."""
    if card is None:
        return None, None
    config = config_from_card(card.network)
    plane, volume = (config, None) if config.dims == 2 else (None, config)
    for required in required_bundles(card).values():
        plane = config_from_card(required.network)
    return plane, volume


def estimate(request: Translation, source: Volume, conditions: Mapping[str, Volume] = NONE) -> Estimate:
    """Return memory, time and warnings of a run without reading weights; fast enough to call while typing."""
    job = resolve(request, source, conditions)
    speed = _SPEEDS.get(job.speed_key)
    steps, samples = run_length(request)
    seconds = None if speed is None else speed * steps * samples * prod(job.output_shape)
    return Estimate(job.memory_bytes(), seconds, job.plan.device, tuple(job.warnings()))


def run_length(request: Translation) -> tuple[int, int]:
    """Return (steps, samples); without randomness, one sample; systems without a solver take one step.

    Steps are those of one sample: what was asked for, as many times as the system goes through them.
    """
    system = get_system(request.system)
    if not system.stochastic:
        return 1, 1
    return request.steps * system.rounds, 1 if system.solver(
        request.solver
    ) in system.seedless else request.samples


def translate(
    request: Translation,
    source: Volume,
    *,
    conditions: Mapping[str, Volume] = NONE,
    reference: Volume | None = None,
    box: SnapshotBox | None = None,
    cancel: threading.Event | None = None,
    folder: Path | None = None,
) -> Generator[Event, None, None]:
    """Run a translation as a stream of events that ends with `Done`.

    Not pulling pauses the run between network calls; closing the generator, or setting ``cancel``, ends it
    within one. After ``cancel`` the stream still ends with ``Done(cancelled=True)`` holding what was
    finished.

    Parameters
    ----------
    request : Translation
    source : Volume
    conditions : mapping of modality to Volume
        Further inputs on the output grid, for bundles that want several.
    reference : Volume, optional
        The truth on the output grid; error map and metrics are computed against it (`Task.match`).
    box : SnapshotBox, optional
        Receives the newest arrays.
    cancel : threading.Event, optional
    folder : Path, optional
        Where every finished sample, the statistics and the provenance are written at once.

    Raises
    ------
    Vol2VolError
        For anything a user can mend, and `RunError` for everything else; never a bare RuntimeError.
    """
    job = resolve(request, source, conditions)
    task = get_task(request.task)
    for volume in (source, *conditions.values()):
        check_image(volume)
    if reference is not None:
        check_output_grid(job, reference)
        reference = task.match(reference)
    device = resolve_device(job.plan.device)
    dtype = resolve_precision(request.precision, device)
    steps, samples = run_length(request)

    def work(emit: Emitter[Event]) -> None:
        begin = time.monotonic()
        run = SamplingRun(job, task, emit, dtype, reference, box, cancel, folder, steps, samples)
        run.execute()
        if run.results.statistics.count == samples and not run.cancelled and job.twin is None:
            _SPEEDS[job.speed_key] = (time.monotonic() - begin) / (steps * samples * prod(job.output_shape))

    try:
        with reused_memory() if device.type == "cpu" else nullcontext():
            yield from stream(work)
    except RuntimeError as error:
        raise RunError(f"{request.system} on {job.plan.device} failed: {error}") from error


def output_of(request: Translation, source: Volume, conditions: Mapping[str, Volume] = NONE) -> Volume:
    """Return an empty volume on the grid of the result: what references and conditions must lie on."""
    return _empty_result(resolve(request, source, conditions))


def check_output_grid(job: Job, reference: Volume) -> None:
    """Raise `VolumeError` unless the reference lies on the grid of the result."""
    check_reference(_empty_result(job), reference)


def _empty_result(job: Job) -> Volume:
    import numpy as np

    grid = get_task(job.request.task).grid(job.source, job.factor)
    nothing = np.broadcast_to(np.float32(0), grid.shape)
    return job.source.with_data(nothing, affine=grid.affine, name="the result")


__all__ = [
    "Estimate", "Job", "check_output_grid", "estimate", "output_of", "resolve", "run_length", "translate",
]  # fmt: skip
