"""What a run keeps of every step: x̂0, the facts of the step, and the state that it can be resumed from."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_vol2vol.errors import RunError, SettingsError

if TYPE_CHECKING:
    from torch import Tensor

FloatArray = NDArray[np.float32]
FOLDER, FACTS = "trajectory", "steps.jsonl"
#: Ends of the names of files beside x̂0: the state, and the noise that the network sees in it.
STATE, NOISE = "x_t", "noise"


@dataclass(frozen=True)
class StepFacts:
    """One line of ``steps.jsonl``.

    ``x_t = alpha z_0 + sigma eps`` at time ``t``; None where the system has no schedule. ``residual`` is
    ``|A x̂0 - y| / |y|``, ``psnr`` in dB against the reference.
    """

    sample: int
    step: int
    t: float
    alpha: float | None = None
    sigma: float | None = None
    residual: float | None = None
    psnr: float | None = None


def file_of(folder: Path, sample: int, step: int, what: str = "") -> Path:
    """Return where a step of a run folder is kept: its x̂0, or its `STATE` or `NOISE`."""
    end = f"-{what}" if what else ""
    return folder / FOLDER / f"sample-{sample:02d}-step-{step:03d}{end}.npy"


class TrajectoryRecorder:
    """Recording of every step, up to a cap in MiB; needs a run folder.

    x̂0 is kept in float16, and with ``state`` also x_t, exactly, and the predicted noise in float16: four
    times as much.
    """

    def __init__(self, cap_mib: int, folder: Path | None, *, state: bool = False) -> None:
        if cap_mib and folder is None:
            raise RunError("record_trajectory_mib: recording the trajectory needs a run folder")
        if state and not cap_mib:
            raise SettingsError("record_state: found no recording, record_trajectory_mib must be above 0")
        self._left = cap_mib * 2**20
        self._folder = folder if cap_mib else None
        self.wants_state = state

    def add(self, facts: StepFacts, x0_hat: FloatArray, state: tuple[Tensor, Tensor] | None = None) -> None:
        """Write one step, unless the cap is reached; ``state`` is (x_t, predicted noise).

        Raises
        ------
        RunError
            If the files cannot be written, as on a full disk.
        """
        needed = 2 * x0_hat.size + (0 if state is None else 6 * state[0].numel())
        if self._folder is None or needed > self._left:
            return
        self._left -= needed
        try:
            (self._folder / FOLDER).mkdir(exist_ok=True)
            np.save(self._file(facts), x0_hat.astype(np.float16))
            if state is not None:
                x_t, noise = (value.detach().float().cpu().numpy() for value in state)
                np.save(self._file(facts, STATE), x_t)
                np.save(self._file(facts, NOISE), noise.astype(np.float16))
            with (self._folder / FOLDER / FACTS).open("a") as lines:
                lines.write(json.dumps(asdict(facts)) + "\n")
        except OSError as error:
            raise RunError(
                f"record_trajectory_mib: {self._folder} cannot be written ({error.strerror}); record less or "
                "choose another folder"
            ) from error

    def _file(self, facts: StepFacts, what: str = "") -> Path:
        assert self._folder is not None
        return file_of(self._folder, facts.sample, facts.step, what)


def read_facts(folder: Path) -> dict[tuple[int, int], StepFacts]:
    """Return the facts of the recorded steps by (sample, step); none for runs of earlier versions."""
    path = folder / FOLDER / FACTS
    if not path.is_file():
        return {}
    facts = [StepFacts(**json.loads(line)) for line in path.read_text().splitlines() if line.strip()]
    return {(f.sample, f.step): f for f in facts}


def state_to_resume(
    run: Path | str, sample: int, step: int, shape: tuple[int, ...]
) -> tuple[FloatArray, float]:
    """Return x_t of a recorded step, before the network looked at it, and its time.

    Raises
    ------
    SettingsError
        If the step was not recorded with its state, or the state is not of ``shape``.
    """
    folder = Path(run)
    path, facts = file_of(folder, sample, step, STATE), read_facts(folder)
    if not path.is_file() or (sample, step) not in facts:
        kept = [s for n, s in sorted(facts) if n == sample and file_of(folder, n, s, STATE).is_file()]
        there = f"steps {kept[0]} to {kept[-1]} of sample {sample}" if kept else "no step with its state"
        raise SettingsError(
            f"resume: found step {step} of sample {sample} in {folder}, which keeps {there}; accepted is a "
            "step that was recorded with its state"
        )
    x_t = np.load(path)
    if x_t.shape != shape:
        raise SettingsError(
            f"resume: found a state of shape {x_t.shape} in {folder}, accepted is one of {shape}: the run "
            "must be of the same volume and bundle"
        )
    return x_t, facts[sample, step].t
