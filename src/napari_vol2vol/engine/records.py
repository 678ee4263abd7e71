"""What a run measures against a reference and what it leaves on disk."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_vol2vol.engine.events import FIXED_PRIOR
from napari_vol2vol.errors import RunError
from napari_vol2vol.metrics.calibration import mean_absolute_calibration_error
from napari_vol2vol.metrics.fidelity import default_data_range, mean_absolute_error, psnr
from napari_vol2vol.volume import Volume

if TYPE_CHECKING:
    from napari_vol2vol.engine.run import Job

FloatArray = NDArray[np.float32]


class Reference:
    """The truth, with the data range that PSNR is stated against: its 99.5th percentile minus its minimum."""

    def __init__(self, volume: Volume) -> None:
        self.volume = volume
        self.data_range = default_data_range(volume.data)

    def error(self, x: FloatArray) -> FloatArray:
        """Return x - reference."""
        return np.asarray(x - self.volume.data, np.float32)

    def psnr(self, x: FloatArray) -> float:
        """Return the peak signal-to-noise ratio in dB."""
        return psnr(x, self.volume.data, self.data_range)

    def metrics(self, newest: FloatArray, mean: FloatArray, std: FloatArray | None) -> dict[str, float]:
        """Return PSNR of the newest sample and of the mean, MAE, and MACE where there are several samples.

        MACE is the mean of ``|sigma - |reference - mean||`` (Score-Fusion, eq. 5) over the data range.
        """
        figures = {
            "psnr_single": self.psnr(newest),
            "psnr_mean": self.psnr(mean),
            "mae_mean": mean_absolute_error(mean, self.volume.data),
            "data_range": self.data_range,
        }
        if std is not None:
            mace = mean_absolute_calibration_error(mean=mean, std=std, reference=self.volume.data)
            figures["mace"] = mace / self.data_range
        return figures


class RunFolder:
    """A folder for one run: ``sample-01.nii.gz`` ... at once, then statistics and ``run.json``."""

    def __init__(self, path: Path, job: Job) -> None:
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(f"run folder {path}: cannot be made ({error.strerror})") from error
        if (path / "run.json").exists() or any(path.glob("sample-*.nii.gz")):
            raise RunError(f"run folder {path}: holds a run already; choose another folder")
        self._write_json({"state": "running", "request": job.request.as_dict()})

    def write_sample(self, sample: int, volume: Volume, record: Mapping[str, Any]) -> Path:
        """Write one finished sample with its provenance, atomically."""
        path = self.path / f"sample-{sample:02d}.nii.gz"
        self._write(volume, path, {**record, "sample": sample})
        return path

    def write_end(
        self,
        volumes: Mapping[str, Volume],
        metrics: Mapping[str, float],
        record: Mapping[str, Any],
        cancelled: bool,
    ) -> None:
        """Write mean, uncertainty and error, then the record of the whole run."""
        for name in ("mean", "uncertainty", "error", FIXED_PRIOR):
            if name in volumes:
                self._write(
                    volumes[name], self.path / f"{name.replace(' ', '-')}.nii.gz", {**record, "what": name}
                )
        self._write_json({"state": "cancelled" if cancelled else "done", "metrics": dict(metrics), **record})

    def _write(self, volume: Volume, path: Path, record: Mapping[str, Any]) -> None:
        from napari_vol2vol.io import write_volume

        write_volume(volume, path, record=record)

    def _write_json(self, record: Mapping[str, Any]) -> None:
        from napari_vol2vol.io.provenance import as_json

        partial = self.path / "run.json.partial"
        partial.write_text(json.dumps(as_json(dict(record)), indent=2, ensure_ascii=False) + "\n")
        os.replace(partial, self.path / "run.json")


def record_of(job: Job, **more: Any) -> dict[str, Any]:
    """Return the provenance of a run's results; ``more`` are further fields of `build_record`."""
    from napari_vol2vol.io.provenance import build_record, describe_input

    request, card = job.request, job.card
    if job.source.measured is not None:
        more["measurement"] = job.source.measured.summary()
    return build_record(
        inputs=[describe_input(volume) for volume in (job.source, *job.conditions.values())],
        task=request.task,
        system=request.system,
        bundle=None
        if card is None
        else {"name": card.name, "version": card.version, "weights": card.weights,
              "requires": card.requires, "licence": card.licence},
        settings=request.as_dict() | {"solver": job.solver, "eta": job.eta, "options": dict(job.options)},
        seed=request.seed,
        **more,
    )  # fmt: skip
