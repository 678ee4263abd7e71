"""One run from the inside: samples, steps, snapshots, files, and the way down when memory runs out."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from contextlib import closing, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_vol2vol.engine.allocation import give_back
from napari_vol2vol.engine.events import (
    FIXED_PRIOR,
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
from napari_vol2vol.engine.pace import Pace
from napari_vol2vol.engine.records import RunFolder, record_of
from napari_vol2vol.engine.results import Results
from napari_vol2vol.engine.stream import Emitter
from napari_vol2vol.engine.trajectory import StepFacts, TrajectoryRecorder, state_to_resume
from napari_vol2vol.errors import OutOfMemoryError
from napari_vol2vol.sampling.measurement import Measurement
from napari_vol2vol.sampling.noise_bank import NoiseBank
from napari_vol2vol.sampling.planes import no_tick
from napari_vol2vol.sampling.samplers import Step
from napari_vol2vol.sampling.schedules import Schedule, timesteps
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
        self.results = Results(job, task, reference)
        self.folder = RunFolder(folder, job) if folder is not None else None
        self.trajectory = TrajectoryRecorder(
            job.request.record_trajectory_mib,
            None if self.folder is None else self.folder.path,
            state=job.request.record_state,
        )
        self.taps: dict[str, Tensor] = {}
        self.cancelled = False
        self._sample = self._step = 0
        self._moment: tuple[float, float | None, float | None] = (0.0, None, None)
        self._state: tuple[Tensor, Tensor] | None = None
        self._last_tick = time.monotonic()
        twin = 0 if job.twin is None else job.request.steps
        self.pace = Pace(steps * samples + twin)
        self.system = job.request.system
        self.notices: list[str] = []

    def execute(self) -> None:
        """Run to the end, or to the cancel, and emit `Done`."""
        card = self.job.card
        self.emit(Preparing("reading weights" if card is not None else "preparing"))
        for warning in self.job.warnings():
            self._notice(warning)
        for remark in self.task.remarks(self.job.source):
            self._notice(remark)
        job = self.job
        measurement = self.task.prepare(job.source, job.factor, job.multiple, job.inputs, job.conditions)
        try:
            assembly = self._assemble(measurement)
            self.emit(Started(self.samples, self.steps, self.plan.device, self.job.memory_bytes()))
            self.pace.start()
            for sample in range(1, self.samples + 1):
                self._sample = sample
                assembly = self._sample_with_step_down(assembly, measurement, sample)
                self._finish_sample()
            if self.job.twin is not None:
                self._run_twin(measurement, self.job.twin)
        except Stopped:
            self.cancelled = True
        self.emit(self._done())

    def _run_twin(self, measurement: Measurement, twin: str) -> None:
        """Run the system whose prior does not adapt, from the noise of the first sample."""
        self.system = twin
        self._notice(f"{twin}: the same prior without adaptation, from the same noise")
        self._sample_with_step_down(self._assemble(measurement), measurement, 1)

    @property
    def _what(self) -> str:
        return "" if self.system == self.job.request.system else FIXED_PRIOR

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
            rest=give_back if self.plan.device == "cpu" else no_tick,
            tap=self._tap,
            options=self.job.options,
        )
        return get_system(self.system).build(context)

    def _sample_with_step_down(self, assembly: Assembly, measurement: Measurement, sample: int) -> Assembly:
        while True:
            try:
                self._run_sample(assembly, measurement, sample)
                return assembly
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
                self.pace.start_sample_again(self._step)
                self._step = 0
                self._notice(f"out of memory: sample {sample} starts again with {words}")
                if torch.cuda.is_available():
                    torch.cuda.empty_cache()
                assembly = self._assemble(measurement)

    def _run_sample(self, assembly: Assembly, measurement: Measurement, sample: int) -> None:
        """Run one sample; its x̂0 is the newest of the results at the end."""
        self._step = 0
        device = torch.device(self.plan.device)
        m = measurement.to(device)
        autocast = torch.autocast(device.type, self.dtype) if self.dtype != torch.float32 else nullcontext()
        with torch.inference_mode(), autocast:
            if assembly.schedule is None:
                self._step_done(1, assembly.decode(assembly.denoiser(m.plain, 0.0)), m)
                return
            # a sampler may hold what must be put back: weights that adapt
            with closing(self._steps(assembly, m, sample)) as steps:
                for step in steps:  # not enumerated: that would hold the volumes of a step during the next
                    self._tap("x_t", step.x_t)
                    self._look_at(step, assembly.schedule)
                    x = assembly.decode(step.x0_hat)
                    del step  # volumes that nobody holds while the next step is made
                    self._step_done(self._step + 1, x, m)
                    del x

    def _look_at(self, step: Step, schedule: Schedule) -> None:
        """Remember what the recording wants to know of the step under way."""
        alpha, sigma = (float(v) for v in schedule(torch.tensor(step.t, dtype=torch.float64)))
        self._moment, self._state = (step.t, alpha, sigma), None
        if self.trajectory.wants_state and not self._what:
            noise = (step.x_t - alpha * step.x0_hat) / max(sigma, 1e-12)
            self._state = step.x_t, noise

    def _steps(self, assembly: Assembly, m: Measurement, sample: int) -> Generator[Step, None, None]:
        """Start the sampler, or resume it; noise is keyed by seed, sample and step."""
        request, shape, device = self.job.request, tuple(m.stored.shape), m.stored.device
        before, t = 0, 1.0
        if request.resume is not None:
            sample, before = request.resume_sample, request.resume_step - 1
        bank = NoiseBank(request.seed, sample - 1)
        if request.resume is not None:
            x_t, t = state_to_resume(request.resume, request.resume_sample, request.resume_step, shape)
            start = torch.from_numpy(x_t).to(device)
        else:
            start = bank.draw(0, shape, device) if assembly.start is None else assembly.start
        steps = assembly.samplers[self.job.solver](
            assembly.denoiser,
            start,
            timesteps(request.steps, t),
            assembly.schedule,
            lambda i: bank.draw(i + before, shape, device),
            eta=self.job.eta,
        )
        return cast("Generator[Step, None, None]", steps)

    def tick(self) -> None:
        """Between network calls: let the consumer pause or close the run; report progress now and then."""
        if self.cancel is not None and self.cancel.is_set():
            raise Stopped
        self.emit.check()
        self.pace.tick()
        now = time.monotonic()
        if self._sample and now - self._last_tick > TICK_SECONDS:
            self._last_tick = now
            fraction, left = self.pace.fraction()
            self.emit(Progress(self._sample, self._step, fraction, left, what=self._what))

    def _step_done(self, step: int, x: Tensor, measurement: Measurement) -> None:
        self.pace.step_done()
        self._step = step
        array, results = self._physical(x, measurement), self.results
        residual = measurement.relative_residual(x)
        if self.box is not None and (image := measurement.residual_image(x)) is not None:
            self._tap("data residual", image)
        psnr = results.psnr(array)
        if self._what:
            results.fixed, results.fixed_residual = array, residual
        else:
            results.newest, results.residual = array, residual
            facts = StepFacts(self._sample, step, *self._moment, residual=residual, psnr=psnr)
            self.trajectory.add(facts, array, self._state)
            self._state = None
        self._show(step, array, measurement)
        fraction, left = self.pace.fraction()
        self.emit(Progress(self._sample, step, fraction, left, residual, psnr, self._what))

    def _show(self, step: int, array: FloatArray, measurement: Measurement) -> None:
        """Put a snapshot of the newest estimate into the box; that of the twin is a tap."""
        if self.box is not None:
            results = self.results
            taps = {name: self._tap_array(v, measurement) for name, v in self.taps.items()}
            if self._what and results.newest is not None:
                taps, array = {**taps, self._what: array}, results.newest
            mean, std = results.statistics.mean, results.statistics.std
            self.box.put(Snapshot(self._sample, step, array, mean, std, results.error(array), taps))
        self.taps = {}

    def _finish_sample(self) -> None:
        array, results = self.results.newest, self.results
        assert array is not None
        results.statistics.add(array)
        path = None
        if self.folder is not None:
            path = self.folder.write_sample(self._sample, results.volume(array, "x̂0"), self._record())
        self.emit(SampleDone(self._sample, path, results.psnr(array)))
        if self.box is not None:
            mean, std = results.statistics.mean, results.statistics.std
            self.box.put(Snapshot(self._sample, self.steps, array, mean, std, results.error(mean)))

    def _done(self) -> Done:
        volumes, metrics, record = self.results.volumes(), self.results.metrics(), self._record()
        if self.folder is not None:
            self.folder.write_end(volumes, metrics, record, self.cancelled)
        return Done(volumes, metrics, record, self.folder.path if self.folder else None, self.cancelled)

    def _physical(self, x: Tensor, measurement: Measurement) -> FloatArray:
        return np.ascontiguousarray(measurement.physical(x).cpu().numpy())

    def _tap_array(self, value: Tensor, measurement: Measurement) -> FloatArray:
        return np.ascontiguousarray(measurement.shown(value).cpu().numpy())

    def _tap(self, name: str, value: Tensor) -> None:
        if self.box is not None:
            self.taps[name] = value

    def _notice(self, message: str) -> None:
        self.notices.append(message)
        self.emit(Notice(message))

    def _record(self) -> dict[str, Any]:
        return record_of(
            self.job,
            device=self.plan.device,
            timings={"sampling": round(self.pace.seconds, 2)},
            precision=str(self.dtype).removeprefix("torch."),
            memory_plan=replace(self.plan).__dict__,
            notices=list(self.notices),
            samples_finished=self.results.statistics.count,
        )
