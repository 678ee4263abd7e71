"""What a run has found so far, and the volumes and figures it ends with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_vol2vol.engine.events import FIXED_PRIOR
from napari_vol2vol.engine.records import Reference
from napari_vol2vol.engine.statistics import RunningStatistics
from napari_vol2vol.tasks.registry import Task
from napari_vol2vol.volume import Volume

if TYPE_CHECKING:
    from napari_vol2vol.engine.run import Job

FloatArray = NDArray[np.float32]


class Results:
    """The newest estimate and its data residual, those of the twin, and statistics over finished samples."""

    def __init__(self, job: Job, task: Task, reference: Volume | None) -> None:
        self.job, self.task = job, task
        self.reference = Reference(reference) if reference is not None else None
        self.statistics = RunningStatistics()
        self.newest: FloatArray | None = None
        self.residual: float | None = None
        self.fixed: FloatArray | None = None
        self.fixed_residual: float | None = None

    def psnr(self, array: FloatArray) -> float | None:
        """Return the PSNR in dB against the reference, None without one."""
        return self.reference.psnr(array) if self.reference else None

    def error(self, array: FloatArray | None) -> FloatArray | None:
        """Return the difference to the reference, None without one."""
        return self.reference.error(array) if self.reference and array is not None else None

    def volume(self, array: FloatArray, what: str) -> Volume:
        """Return an array `(z, y, x)` in physical units as a volume of the result."""
        job = self.job
        name = f"{job.source.name} · {what} · {job.request.system}"
        # a prior is of no modality: its result is of that of the source
        made = None if job.card is None or job.has_prior else job.card.target
        target = job.source.modality or "" if made is None else made
        volume = self.task.finish(array, job.source, job.factor, name, target)
        return volume.with_data(volume.data, provenance={"generated": True})

    def volumes(self) -> dict[str, Volume]:
        """Return what `Done` holds."""
        volumes: dict[str, Volume] = {}
        mean, std = self.statistics.mean, self.statistics.std
        if self.newest is not None:
            volumes["x0"] = self.volume(self.newest, "x̂0")
        if mean is not None:
            volumes["mean"] = self.volume(mean, "mean")
            if (change := self._change(volumes["mean"])) is not None:
                volumes["change"] = change
        if std is not None:
            volumes["uncertainty"] = self.volume(std, "uncertainty")
        if self.fixed is not None:
            volumes[FIXED_PRIOR] = self.volume(self.fixed, FIXED_PRIOR)
        if (error := self.error(mean)) is not None:
            volumes["error"] = self.volume(error, "error")
        return volumes

    def metrics(self) -> dict[str, float]:
        """Return the data residuals, and the figures against the reference."""
        metrics: dict[str, float] = {} if self.residual is None else {"data_residual": self.residual}
        if self.fixed_residual is not None:
            metrics["data_residual_fixed"] = self.fixed_residual
        if self.reference is None:
            return metrics
        mean, std = self.statistics.mean, self.statistics.std
        if mean is not None and self.newest is not None:
            metrics |= self.reference.metrics(self.newest, mean, std)
        if self.fixed is not None:
            metrics["psnr_fixed"] = self.reference.psnr(self.fixed)
        return metrics

    def _change(self, result: Volume) -> Volume | None:
        """Return what the run added to a source of the same kind: CT on its own grid, in HU."""
        source = self.job.source
        if source.units != "HU" or result.units != "HU" or source.shape != result.shape:
            return None
        name = f"{source.name} · change · {self.job.request.system}"
        return result.with_data(result.data - source.data, name=name)
