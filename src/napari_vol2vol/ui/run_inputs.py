"""What the *Translate* dock prepares on worker threads: the inputs of a run, the question of an estimate."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from napari_vol2vol.registration import register
from napari_vol2vol.ui.simulation import on_result_grid, stand_in

if TYPE_CHECKING:
    from napari_vol2vol.volume import Volume


def inputs_of_run(
    request: Any,
    task: Any,
    pair: Callable[[], tuple[Volume, Volume | None]],
    conditions: dict[str, Volume],
    resampled: bool,
    registered: bool,
) -> tuple[Volume, Volume | None, dict[str, Volume], dict[str, Volume], tuple[str, ...]]:
    """Return source, reference, conditions, pictures and remarks of a run (worker thread)."""
    source, reference = pair()
    remarks: tuple[str, ...] = ()
    pictures = task.pictures(source) if getattr(task, "accepts_raw", False) else {}
    if registered and reference is not None:
        found = register(reference, source)
        reference = found.volume
        remarks = (
            f"{reference.name}: mutual information inside the body {found.before:.2f} nats before, "
            f"{found.after:.2f} after",
        )
    if resampled:
        return *on_result_grid(request, source, reference, conditions), pictures, remarks
    return source, reference, conditions, pictures, remarks


def as_they_are(volume: Any, reference: Any) -> tuple[Any, Any]:
    """Return both, where nothing is simulated."""
    return volume, reference


def question_of(
    values: dict[str, Any], volume: Any, task: Any, card: Any, simulate: bool
) -> tuple[dict[str, Any], Any]:
    """Return the fields of a request and a volume of the shape of its input, for an estimate."""
    return values, stand_in(volume, task, card) if simulate else volume
