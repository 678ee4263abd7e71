"""The tasks by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.tasks.super_resolution import SuperResolution
from napari_vol2vol.volume import Volume

if TYPE_CHECKING:
    from torch import Tensor

    from napari_vol2vol.sampling.measurement import Measurement


class Task(Protocol):
    """What a user asks for. ``systems`` lists the names that can serve it, the recommended one first."""

    name: str
    title: str
    systems: tuple[str, ...]

    def degrade(self, volume: Volume, factor: tuple[int, int, int] = ...) -> Volume:
        """Return the input that this task would start from, had ``volume`` been measured that way."""
        ...

    def prepare(self, source: Volume, factor: tuple[int, int, int], multiple: int) -> Measurement:
        """Return the measurement in model space, padded so that each axis is divisible by ``multiple``."""
        ...

    def finish(self, x: Tensor, measurement: Measurement, source: Volume, name: str) -> Volume:
        """Return a result in physical units on the output grid, without the padding."""
        ...

    def output_shape(self, source: Volume, factor: tuple[int, int, int]) -> tuple[int, int, int]:
        """Return the shape of the result `(z, y, x)`."""
        ...


TASKS: dict[str, Task] = {task.name: task for task in (SuperResolution(),)}


def get_task(name: str) -> Task:
    """Return a task by name, or raise `SettingsError` naming those that exist."""
    if name not in TASKS:
        raise SettingsError(f"task: found {name!r}, accepted are {', '.join(TASKS)}")
    return TASKS[name]
