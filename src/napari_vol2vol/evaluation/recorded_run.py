"""The recorded steps of a run, read from its folder one at a time."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_vol2vol.errors import VolumeError

_NAME = re.compile(r"sample-(\d+)-step-(\d+)\.npy")


@dataclass(frozen=True)
class Trajectory:
    """Steps of a run folder: files of x̂0 by (sample, step), and the run's record."""

    folder: Path
    files: Mapping[tuple[int, int], Path]
    record: Mapping[str, Any]

    @property
    def samples(self) -> list[int]:
        """Samples that were recorded, in order."""
        return sorted({sample for sample, _ in self.files})

    def steps(self, sample: int) -> list[int]:
        """Return the recorded steps of a sample, in order."""
        return sorted(step for s, step in self.files if s == sample)

    def array(self, sample: int, step: int) -> NDArray[np.float32]:
        """Return x̂0 of a step `(z, y, x)` in the units of the result.

        Raises
        ------
        VolumeError
            If the step was not recorded or its file cannot be read.
        """
        path = self.files.get((sample, step))
        if path is None:
            raise VolumeError(
                f"trajectory {self.folder.name}: step {step} of sample {sample} was not recorded"
            )
        try:
            return np.load(path).astype(np.float32)
        except (OSError, ValueError) as error:
            raise VolumeError(f"trajectory {path}: cannot be read ({error})") from error


def open_trajectory(folder: Path) -> Trajectory:
    """Find the recorded steps of a run folder; nothing is read yet.

    Raises
    ------
    VolumeError
        If there are none: the run was made with Record off.
    """
    found = {}
    for path in sorted((folder / "trajectory").glob("*.npy")):
        if match := _NAME.fullmatch(path.name):
            found[int(match[1]), int(match[2])] = path
    if not found:
        raise VolumeError(f"{folder.name}: no step was recorded; set Record under More before the run")
    try:
        record = json.loads((folder / "run.json").read_text())
    except (OSError, json.JSONDecodeError):
        record = {}
    return Trajectory(folder, found, record)
