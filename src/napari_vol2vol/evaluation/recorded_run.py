"""The recorded steps of a run, read from its folder one at a time."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_vol2vol.errors import VolumeError

if TYPE_CHECKING:
    from napari_vol2vol.engine.trajectory import StepFacts

_NAME = re.compile(r"sample-(\d+)-step-(\d+)(?:-(\w+))?\.npy")
#: What can be looked at: the end of its files, as `engine.trajectory` names them -> words.
X0, STATE, NOISE = "", "x_t", "noise"
KINDS = {X0: "x̂0: the estimate", STATE: "x_t: the noisy state", NOISE: "the predicted noise"}


@dataclass(frozen=True)
class Trajectory:
    """Steps of a run folder: files by (sample, step, kind), the run's record, the facts of each step."""

    folder: Path
    files: Mapping[tuple[int, int, str], Path]
    record: Mapping[str, Any]
    facts: Mapping[tuple[int, int], StepFacts]

    @property
    def samples(self) -> list[int]:
        """Samples that were recorded, in order."""
        return sorted({sample for sample, _, _ in self.files})

    @property
    def settings(self) -> Mapping[str, Any]:
        """The request of the run, as far as its record tells."""
        return self.record.get("settings") or self.record.get("request") or {}

    def steps(self, sample: int) -> list[int]:
        """Return the recorded steps of a sample, in order."""
        return sorted(step for s, step, kind in self.files if s == sample and kind == X0)

    def missing(self, sample: int, kind: str) -> str:
        """Return why a kind cannot be shown for a sample; empty where it can."""
        if any(s == sample and k == kind for s, _, k in self.files):
            return ""
        return "tick Record state under More before the run"

    def array(self, sample: int, step: int, kind: str = X0) -> NDArray[np.float32]:
        """Return a step `(z, y, x)`: x̂0 in the units of the result, the others in those of the model.

        The margin that networks work with is cut off; of a complex image the magnitude is returned.

        Raises
        ------
        VolumeError
            If the step was not recorded or its file cannot be read.
        """
        path = self.files.get((sample, step, kind))
        if path is None:
            raise VolumeError(
                f"trajectory {self.folder.name}: step {step} of sample {sample} was not recorded"
                + (f" with {KINDS[kind]}" if kind else "")
            )
        try:
            array: NDArray[np.float32] = np.load(path).astype(np.float32)
            if kind == X0:
                return array
            shape = np.load(self.files[sample, step, X0], mmap_mode="r").shape
        except (OSError, ValueError, KeyError) as error:
            raise VolumeError(f"trajectory {path}: cannot be read ({error})") from error
        return without_margin(array, shape, self._block(shape))

    def _block(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return how many voxels of the result one of the input is: margins are whole input voxels."""
        source = (self.record.get("inputs") or [{}])[0].get("shape_zyx") or shape
        return tuple(max(1, round(n / m)) for n, m in zip(shape, source, strict=True))

    def step_beside(self, other: Trajectory, sample: int, own: int, step: int) -> int:
        """Return the step of ``sample`` of this run that is as far on as ``step`` of sample ``own`` there."""
        theirs, mine = other.steps(own), self.steps(sample)
        share = theirs.index(step) / max(len(theirs) - 1, 1)
        return mine[round(share * (len(mine) - 1))]


def without_margin(
    array: NDArray[np.float32], shape: tuple[int, ...], block: tuple[int, ...] = (1, 1, 1)
) -> NDArray[np.float32]:
    """Return what `volume.pad_to_multiple` put a margin around: whole blocks, the odd one at the far end.

    ``array`` is `(z, y, x)`, or `(2, z, y, x)` of which the magnitude is returned.
    """
    if array.ndim == 4:
        array = np.sqrt(np.square(array).sum(0))
    begin = [(n - m) // k // 2 * k for n, m, k in zip(array.shape, shape, block, strict=True)]
    return np.ascontiguousarray(array[tuple(slice(b, b + n) for b, n in zip(begin, shape, strict=True))])


def open_trajectory(folder: Path) -> Trajectory:
    """Find the recorded steps of a run folder; no volume is read yet.

    Raises
    ------
    VolumeError
        If there are none: the run was made with Record off.
    """
    from napari_vol2vol.engine.trajectory import read_facts

    found = {}
    for path in sorted((folder / "trajectory").glob("*.npy")):
        match = _NAME.fullmatch(path.name)
        if match and (match[3] or X0) in KINDS:
            found[int(match[1]), int(match[2]), match[3] or X0] = path
    if not found:
        raise VolumeError(f"{folder.name}: no step was recorded; set Record under More before the run")
    try:
        record = json.loads((folder / "run.json").read_text())
    except (OSError, json.JSONDecodeError):
        record = {}
    try:
        facts = read_facts(folder)
    except (OSError, ValueError, TypeError) as error:
        raise VolumeError(f"{folder.name}: trajectory/steps.jsonl cannot be read ({error})") from error
    return Trajectory(folder, found, record, facts)
