"""The frozen request that makes a run: serialisable, hashable, written into the provenance."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Self

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.options import Value
from napari_vol2vol.systems.registry import SOLVERS

PRECISIONS = ("auto", "bfloat16", "float32")


@dataclass(frozen=True)
class Translation:
    """What is asked for.

    ``bundle`` is a bundle name, a folder, or None for the default of task and system. ``solver`` is one that
    fits the system, or ``auto`` for its default. ``device`` is ``"auto"`` or a torch device; ``precision``
    one of ``auto, bfloat16, float32``. ``eta`` is DDIM's stochasticity in [0, 1], or None for that of the
    system. ``plane`` picks one plane
    of systems that can run on one, ``weights`` are the shares of the branches of an average (None: equal),
    ``factor`` the block (kz, ky, kx) of systems without a bundle. ``slice_batch`` is the number of slices per
    2D network call (None: chosen from the memory). ``record_trajectory_mib`` is the cap in MiB of a float16
    recording of x̂0 at every step (0: none); ``record_state`` keeps x_t and the predicted noise beside it.
    ``resume`` is a run folder recorded so: sampling goes on from its ``resume_step`` of ``resume_sample``
    with ``steps`` further steps, under whatever else this request says.
    ``options`` are settings of the system alone
    (`SystemInfo.options`), the others staying at their defaults.

    Raises
    ------
    SettingsError
        Where a field is outside what is accepted.
    """

    task: str = "super-resolution"
    system: str = "score-fusion"
    bundle: str | None = None
    steps: int = 20
    solver: str = "auto"
    samples: int = 1
    seed: int = 0
    device: str = "auto"
    precision: str = "auto"
    eta: float | None = None
    fusion_lambda: float = 1.0
    consistency: bool = True
    plane: str | None = None
    weights: tuple[float, ...] | None = None
    factor: tuple[int, int, int] | None = None
    slice_batch: int | None = None
    record_trajectory_mib: int = 0
    record_state: bool = False
    resume: str | None = None
    resume_sample: int = 1
    resume_step: int = 1
    options: Mapping[str, Value] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, low, high in (("steps", 1, 1000), ("samples", 1, 1000), ("seed", 0, 2**63 - 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
                raise SettingsError(
                    f"{name}: found {value!r}, accepted is a whole number from {low} to {high}"
                )
        if self.solver not in SOLVERS:
            raise SettingsError(f"solver: found {self.solver!r}, accepted are {', '.join(SOLVERS)}")
        if self.precision not in PRECISIONS:
            raise SettingsError(f"precision: found {self.precision!r}, accepted are {', '.join(PRECISIONS)}")
        if self.eta is not None and not 0 <= self.eta <= 1:
            raise SettingsError(f"eta: found {self.eta}, accepted is 0 (deterministic) to 1 (ancestral)")
        if self.slice_batch is not None and self.slice_batch < 1:
            raise SettingsError(f"slice_batch: found {self.slice_batch}, accepted is 1 or more")
        if self.record_trajectory_mib < 0:
            raise SettingsError(
                f"record_trajectory_mib: found {self.record_trajectory_mib}, accepted is 0 or more"
            )
        if self.resume is not None and self.samples != 1:
            raise SettingsError(f"samples: found {self.samples}, accepted is 1 where a run is resumed")

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-ready values."""
        return asdict(replace(self, options=dict(self.options)))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Build a request from `as_dict` output; unknown fields raise `SettingsError`."""
        known = {f.name for f in fields(cls)}
        if unknown := sorted(set(values) - known):
            raise SettingsError(
                f"translation: unknown fields {', '.join(unknown)}; known are {', '.join(sorted(known))}"
            )
        arguments: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        return cls(**arguments)

    def digest(self) -> str:
        """Return a sha256 over the canonical JSON of the request."""
        return hashlib.sha256(json.dumps(self.as_dict(), sort_keys=True).encode()).hexdigest()
