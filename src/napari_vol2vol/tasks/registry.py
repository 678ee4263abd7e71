"""The tasks by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.grid import Grid
from napari_vol2vol.tasks.contrast_change import ADDITION, REMOVAL
from napari_vol2vol.tasks.modality_translation import ModalityTranslation
from napari_vol2vol.tasks.reconstruction import MRIReconstruction, SparseViewCT
from napari_vol2vol.tasks.super_resolution import MultiContrastSuperResolution, SuperResolution
from napari_vol2vol.volume import Volume

if TYPE_CHECKING:
    from napari_vol2vol.sampling.measurement import Measurement


class Task(Protocol):
    """What a user asks for.

    ``systems`` lists the names that can serve it, the recommended one first; ``default_factor`` is the block
    (kz, ky, kx) of systems without a bundle; ``simulates`` says whether `degrade` can make an input,
    ``shares_window`` whether the result is shown in the window of the source, and
    ``simulation`` is the dataclass of its settings (`napari_vol2vol.options`; None where the factor says it
    all). ``accepts_raw`` says whether `load` reads raw data, ``loading`` what its settings are.
    """

    name: str
    title: str
    systems: tuple[str, ...]
    default_factor: tuple[int, int, int]
    simulates: bool
    shares_window: bool
    accepts_raw: bool

    @property
    def simulation(self) -> type | None:
        """Settings of `degrade`."""
        ...

    @property
    def loading(self) -> type | None:
        """Settings of `load`."""
        ...

    def degrade(self, volume: Volume, how: Any = ..., /) -> Volume:
        """Return the input that this task would start from, had ``volume`` been measured that way.

        ``how`` is an instance of ``simulation``, or the factor where that is None.
        """
        ...

    def load(self, path: Path, how: Any = ..., /) -> Volume:
        """Return the input that a file of raw data makes; ``how`` is an instance of ``loading``."""
        ...

    def pictures(self, source: Volume) -> dict[str, Volume]:
        """Return what was measured as volumes to look at, by name."""
        ...

    def grid(self, source: Volume, factor: tuple[int, int, int]) -> Grid:
        """Return the grid of the result."""
        ...

    def prepare(
        self,
        source: Volume,
        factor: tuple[int, int, int],
        multiple: int,
        inputs: Sequence[str] = ...,
        conditions: Mapping[str, Volume] = ...,
    ) -> Measurement:
        """Return the measurement in model space, padded so that each axis is divisible by ``multiple``.

        ``inputs`` names the conditions the networks want; ``conditions`` are further volumes by modality.
        """
        ...

    def finish(
        self,
        data: NDArray[np.float32],
        source: Volume,
        factor: tuple[int, int, int],
        name: str,
        target: str,
    ) -> Volume:
        """Return a result `(z, y, x)` in physical units, without padding, as a volume on the output grid."""
        ...

    def match(self, reference: Volume) -> Volume:
        """Return a reference in the units of the result."""
        ...

    def remarks(self, source: Volume) -> list[str]:
        """Return one plain sentence for everything that looks odd about a source for this task."""
        ...


TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        SuperResolution(),
        ModalityTranslation(),
        MultiContrastSuperResolution(),
        REMOVAL,
        ADDITION,
        SparseViewCT(),
        MRIReconstruction(),
    )
}


def get_task(name: str) -> Task:
    """Return a task by name, or raise `SettingsError` naming those that exist."""
    if name not in TASKS:
        raise SettingsError(f"task: found {name!r}, accepted are {', '.join(TASKS)}")
    return TASKS[name]
