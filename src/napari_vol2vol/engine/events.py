"""What the engine tells while it runs: small events, and one slot that keeps the newest arrays.

Events are cheap to queue; arrays never travel in them. A viewer reads `SnapshotBox.take` from its own timer.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from napari_vol2vol.volume import Volume

FloatArray = NDArray[np.float32]
#: The result of the same system with a prior that does not adapt: a tap while it runs, a volume at the end.
FIXED_PRIOR = "fixed prior"


@dataclass(frozen=True)
class Preparing:
    """The run has not started to sample yet: reading weights, normalising."""

    message: str


@dataclass(frozen=True)
class Started:
    """Sampling begins: how many samples of how many steps, on what, and the memory it should need."""

    samples: int
    steps: int
    device: str
    memory_bytes: int


@dataclass(frozen=True)
class Progress:
    """One unit of work is done.

    ``step`` counts from 1 when a step has finished; several events may share a step.
    ``fraction`` is of the whole run in [0, 1]; ``seconds_left`` is None until the first step has been timed.
    ``residual`` is the relative data residual ``|A x0_hat - y| / |y|`` of the newest x̂0, ``psnr`` its PSNR
    in dB against the reference (None without one); both are None on events between steps. ``what`` is
    empty, or `FIXED_PRIOR` while the twin of the system runs.
    """

    sample: int
    step: int
    fraction: float
    seconds_left: float | None = None
    residual: float | None = None
    psnr: float | None = None
    what: str = ""


@dataclass(frozen=True)
class SampleDone:
    """One sample is finished and, where the run has a folder, already on disk."""

    sample: int
    path: Path | None
    psnr: float | None = None


@dataclass(frozen=True)
class Notice:
    """Something the user should know, once: a step-down after out-of-memory, an input outside training."""

    message: str


@dataclass(frozen=True)
class Done:
    """The run has ended by itself or was cancelled; what was finished is in ``volumes``.

    ``volumes`` maps ``"x0"`` (the last sample), ``"mean"``, ``"uncertainty"`` (standard deviation, only for
    two or more samples), ``"error"`` (mean - reference, only with a reference), ``"change"`` (mean - source,
    where both are HU) and `FIXED_PRIOR` (the result of the system's twin, where it was asked for) to volumes
    in physical units. ``metrics`` holds figures against the reference, ``record`` the provenance that is
    written beside every file.
    """

    volumes: Mapping[str, Volume]
    metrics: Mapping[str, float]
    record: Mapping[str, object]
    folder: Path | None
    cancelled: bool = False


Event = Preparing | Started | Progress | SampleDone | Notice | Done


@dataclass(frozen=True)
class Snapshot:
    """The newest state of a run; arrays are float32, `(z, y, x)` on the output grid, in physical units.

    ``mean`` and ``uncertainty`` run over the finished samples and are None before the first (second) one.
    ``error`` is x̂0 - reference, None without reference. ``taps`` are named extra arrays (``"x_t"`` ...).
    """

    sample: int
    step: int
    x0_hat: FloatArray
    mean: FloatArray | None = None
    uncertainty: FloatArray | None = None
    error: FloatArray | None = None
    taps: Mapping[str, FloatArray] = field(default_factory=lambda: MappingProxyType({}))


class SnapshotBox:
    """A slot for one `Snapshot`: putting replaces, taking empties. Safe between threads, never grows."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._snapshot: Snapshot | None = None

    def put(self, snapshot: Snapshot) -> None:
        """Replace what is in the slot (worker thread)."""
        with self._lock:
            self._snapshot = snapshot

    def take(self) -> Snapshot | None:
        """Return the newest snapshot and empty the slot; None if nothing came since (any thread)."""
        with self._lock:
            snapshot, self._snapshot = self._snapshot, None
        return snapshot
