"""One run from the inside: samples, steps, snapshots, files, and the way down when memory runs out."""

from __future__ import annotations

import threading
import time
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_vol2vol.bundles.card import check_fit
from napari_vol2vol.engine.events import (
    Done,
    Event,
    Notice,
    Preparing,
    Progress,
    SampleDone,
    Snapshot,
    SnapshotBox,
    Started,
)
from napari_vol2vol.engine.memory import is_out_of_memory, step_down
from napari_vol2vol.engine.records import Reference, RunFolder, TrajectoryRecorder
from napari_vol2vol.engine.statistics import RunningStatistics
from napari_vol2vol.engine.stream import Emitter
from napari_vol2vol.errors import OutOfMemoryError
from napari_vol2vol.sampling.measurement import Measurement
from napari_vol2vol.sampling.noise_bank import NoiseBank
from napari_vol2vol.sampling.schedules import timesteps
from napari_vol2vol.systems.assembly import Assembly, Context
from napari_vol2vol.systems.registry import get_system
from napari_vol2vol.tasks.registry import Task
from napari_vol2vol.volume import Volume

if TYPE_CHECKING:
    from napari_vol2vol.engine.run import Job

FloatArray = NDArray[np.float32]
TICK_SECONDS = 0.05


class Stopped(Exception):  # noqa: N818 (a signal, not an error)
    """The ``cancel`` event was set: end the run and report what is finished."""


class SamplingRun:
    """The work behind `translate`, executed in the stream's thread."""

    def __init__(
        self,
        job: Job,
        task: Task,
        emit: Emitter[Event],
        dtype: torch.dtype,
        reference: Volume | None,
        box: SnapshotBox | None,
        cancel: threading.Event | None,
        folder: Path | None,
        steps: int,
        samples: int,
    ) -> None:
        self.job, self.task, self.emit, self.dtype, self.box, self.cancel = (
            job,
            task,
            emit,
            dtype,
            box,
            cancel,
        )
        self.steps, self.samples = steps, samples
        self.plan = job.plan
        self.reference = Reference(reference) if reference is not None else None
        self.folder = RunFolder(folder, job) if folder is not None else None
        self.trajectory = TrajectoryRecorder(job.request.record_trajectory_mib, self.folder)
        self.statistics = RunningStatistics()
        self.newest: FloatArray | None = None
        self.taps: dict[str, Tensor] = {}
        self.residual: float | None = None
        self.cancelled = False
        self._sample = self._step = self._ticks = 0
        self._ticks_per_step: int | None = None
        self._began = self._last_tick = time.monotonic()
        self._done_before = 0
        self.notices: list[str] = []

    def execute(self) -> None:
        """Run to the end, or to the cancel, and emit `Done`."""
        card = self.job.card
        self.emit(Preparing("reading weights" if card is not None else "preparing"))
        for warning in check_fit(card, self.job.source) if card is not None else []:
            self._notice(warning)
        for remark in self.task.remarks(self.job.source):
            self._notice(remark)
        job = self.job
        measurement = self.task.prepare(job.source, job.factor, job.multiple, job.inputs, job.conditions)
        try:
            assembly = self._assemble(measurement)
            self.emit(Started(self.samples, self.steps, self.plan.device, self.job.memory_bytes()))
            self._began = time.monotonic()
            for sample in range(1, self.samples + 1):
                self._sample = sample
                assembly, x = self._sample_with_step_down(assembly, measurement, sample)
                self._finish_sample(x, measurement)
        except Stopped:
            self.cancelled = True
        self.emit(self._done(measurement))

    def _assemble(self, measurement: Measurement) -> Assembly:
        request = self.job.request
        self.tick()
        context = Context(
            measurement.to(self.plan.device),
            self.job.card,
            torch.device(self.plan.device),
            slice_batch=self.plan.slice_batch,
            slab=self.plan.slab,
            fusion_lambda=request.fusion_lambda,
            consistency=request.consistency,
            plane=request.plane,
            weights=request.weights,
            tick=self.tick,
            tap=self._tap,
        )
        return get_system(request.system).build(context)

    def _sample_with_step_down(
        self, assembly: Assembly, measurement: Measurement, sample: int
    ) -> tuple[Assembly, Tensor]:
        while True:
            try:
                return assembly, self._run_sample(assembly, measurement, sample)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                smaller = step_down(self.plan, measurement.shape[0])
                if smaller is None:
                    raise OutOfMemoryError(
                        f"{self.job.request.system} needs more memory than {self.plan.device} has, even in "
                        f"slabs of {self.plan.slab} slices; choose a smaller volume or another device"
                    ) from error
                self.plan, words = smaller
                self._notice(f"out of memory: sample {sample} starts again with {words}")
                if torch.cuda.is_available():
                    torch.cuda.empty_cache()
                assembly = self._assemble(measurement)

    def _run_sample(self, assembly: Assembly, measurement: Measurement, sample: int) -> Tensor:
        """Return the finished x̂0 of one sample in model space."""
        request = self.job.request
        device, shape = torch.device(self.plan.device), measurement.shape
        m = measurement.to(device)
        bank = NoiseBank(request.seed, sample - 1)
        autocast = torch.autocast(device.type, self.dtype) if self.dtype != torch.float32 else nullcontext()
        x = m.plain
        with torch.inference_mode(), autocast:
            if assembly.schedule is None:
                x = assembly.decode(assembly.denoiser(m.plain, 0.0))
                self._step_done(1, x, m)
                return x.cpu()
            sampler = assembly.samplers[self.job.solver]
            z = bank.draw(0, shape, device) if assembly.start is None else assembly.start
            times = timesteps(self.steps)
            steps = sampler(
                assembly.denoiser,
                z,
                times,
                assembly.schedule,
                lambda i: bank.draw(i, shape, device),
                eta=request.eta,
            )
            for i, step in enumerate(steps, start=1):
                x = assembly.decode(step.x0_hat)
                self.taps["x_t"] = step.x_t
                self._step_done(i, x, m)
        return x.cpu()

    def tick(self) -> None:
        """Between network calls: let the consumer pause or close the run; report progress now and then."""
        if self.cancel is not None and self.cancel.is_set():
            raise Stopped
        self.emit.check()
        self._ticks += 1
        now = time.monotonic()
        if self._sample and now - self._last_tick > TICK_SECONDS:
            self._last_tick = now
            fraction, left = self._fraction()
            self.emit(Progress(self._sample, self._step, fraction, left))

    def _fraction(self) -> tuple[float, float | None]:
        inside = min(1.0, self._ticks / self._ticks_per_step) if self._ticks_per_step else 0.0
        done = (self._sample - 1) * self.steps + min(self._step + inside, self.steps)
        fraction = done / (self.steps * self.samples)
        elapsed = time.monotonic() - self._began
        return fraction, elapsed / fraction * (
            1 - fraction
        ) if self._ticks_per_step and fraction > 0 else None

    def _step_done(self, step: int, x: Tensor, measurement: Measurement) -> None:
        self._ticks_per_step, self._ticks = max(1, self._ticks), 0
        self._step = step
        self.residual = measurement.relative_residual(x)
        array = self._physical(x, measurement)
        self.newest = array
        error = self.reference.error(array) if self.reference else None
        psnr = self.reference.psnr(array) if self.reference else None
        self.trajectory.add(self._sample, step, array)
        if self.box is not None:
            taps = {name: self._tap_array(v, measurement) for name, v in self.taps.items()}
            self.box.put(
                Snapshot(self._sample, step, array, self.statistics.mean, self.statistics.std, error, taps)
            )
        self.taps = {}
        fraction, left = self._fraction()
        self.emit(Progress(self._sample, step, fraction, left, self.residual, psnr))
        if step == self.steps:
            self._step = 0

    def _finish_sample(self, x: Tensor, measurement: Measurement) -> None:
        array = self._physical(x, measurement)
        self.statistics.add(array)
        path = None
        if self.folder is not None:
            path = self.folder.write_sample(self._sample, self._volume(array, "x̂0"), self._record())
        self.emit(SampleDone(self._sample, path, self.reference.psnr(array) if self.reference else None))
        if self.box is not None:
            mean = self.statistics.mean
            error = None if mean is None or self.reference is None else self.reference.error(mean)
            self.box.put(Snapshot(self._sample, self.steps, array, mean, self.statistics.std, error))

    def _done(self, measurement: Measurement) -> Done:
        volumes: dict[str, Volume] = {}
        mean, std = self.statistics.mean, self.statistics.std
        if self.newest is not None:
            volumes["x0"] = self._volume(self.newest, "x̂0")
        if mean is not None:
            volumes["mean"] = self._volume(mean, "mean")
            if (change := self._change(volumes["mean"])) is not None:
                volumes["change"] = change
        if std is not None:
            volumes["uncertainty"] = self._volume(std, "uncertainty")
        metrics: dict[str, float] = {} if self.residual is None else {"data_residual": self.residual}
        if self.reference is not None and mean is not None and self.newest is not None:
            volumes["error"] = self._volume(self.reference.error(mean), "error")
            metrics |= self.reference.metrics(self.newest, mean, std)
        record = self._record()
        if self.folder is not None:
            self.folder.write_end(volumes, metrics, record, self.cancelled)
        return Done(volumes, metrics, record, self.folder.path if self.folder else None, self.cancelled)

    def _change(self, result: Volume) -> Volume | None:
        """Return what the run added to a source of the same kind: CT on its own grid, in HU."""
        source = self.job.source
        if source.units != "HU" or result.units != "HU" or source.shape != result.shape:
            return None
        name = f"{source.name} · change · {self.job.request.system}"
        return result.with_data(result.data - source.data, name=name)

    def _physical(self, x: Tensor, measurement: Measurement) -> FloatArray:
        return np.ascontiguousarray(measurement.physical(x).cpu().numpy())

    def _tap_array(self, value: Tensor, measurement: Measurement) -> FloatArray:
        return np.ascontiguousarray(value[measurement.crop].float().cpu().numpy())

    def _tap(self, name: str, value: Tensor) -> None:
        if self.box is not None:
            self.taps[name] = value

    def _volume(self, array: FloatArray, what: str) -> Volume:
        job = self.job
        name = f"{job.source.name} · {what} · {job.request.system}"
        target = job.card.target if job.card is not None else job.source.modality or ""
        volume = self.task.finish(array, job.source, job.factor, name, target)
        return volume.with_data(volume.data, provenance={"generated": True})

    def _notice(self, message: str) -> None:
        self.notices.append(message)
        self.emit(Notice(message))

    def _record(self) -> dict[str, Any]:
        from napari_vol2vol.io.provenance import build_record, describe_input

        request, card = self.job.request, self.job.card
        inputs = [describe_input(volume) for volume in (self.job.source, *self.job.conditions.values())]
        return build_record(
            inputs=inputs,
            task=request.task,
            system=request.system,
            bundle=None
            if card is None
            else {"name": card.name, "version": card.version, "weights": card.weights,
                  "requires": card.requires, "licence": card.licence},
            settings=request.as_dict() | {"solver": self.job.solver},
            seed=request.seed,
            device=self.plan.device,
            timings={"sampling": round(time.monotonic() - self._began, 2)},
            precision=str(self.dtype).removeprefix("torch."),
            memory_plan=replace(self.plan).__dict__,
            notices=list(self.notices),
            samples_finished=self.statistics.count,
        )  # fmt: skip
