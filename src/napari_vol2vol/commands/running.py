"""Run one translation with a progress bar."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape

if TYPE_CHECKING:
    from napari_vol2vol.engine import Done, Translation
    from napari_vol2vol.volume import Volume

from napari_vol2vol.commands.terminal import (
    errors,
    interrupt_sets,
)


def run_with_progress(
    request: Translation,
    volume: Volume,
    truth: Volume | None = None,
    folder: Path | None = None,
    conditions: Mapping[str, Volume] | None = None,
) -> Done:
    """Run a translation with a progress bar on stderr (terminals only); Ctrl-C keeps what is finished."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from napari_vol2vol.engine import Done, Notice, Started, translate
    from napari_vol2vol.engine import Progress as Step

    cancel = threading.Event()
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[detail]}"),
        TimeRemainingColumn(), console=errors, transient=True, disable=not errors.is_terminal,
    )  # fmt: skip
    with bar, interrupt_sets(cancel):
        steps = request.steps
        row = bar.add_task(request.system, total=1.0, detail="")
        events = translate(
            request, volume, conditions=conditions or {}, reference=truth, cancel=cancel, folder=folder
        )
        for event in events:
            if isinstance(event, Started):
                steps = event.steps
            elif isinstance(event, Notice):
                errors.print(f"[yellow]note:[/yellow] {escape(event.message)}")
            elif isinstance(event, Step):
                psnr = "" if event.psnr is None else f" {event.psnr:.2f} dB"
                which = event.what or f"sample {event.sample}/{request.samples}"
                detail = f"{which} step {event.step}/{steps}{psnr}"
                bar.update(row, completed=event.fraction, detail=detail)
            elif isinstance(event, Done):
                done = event
    return done


def default_steps(task: str, system: str, bundle: str | None) -> int:
    """Return the steps of the bundle that would be taken, or of the system where it needs none."""
    from napari_vol2vol.bundles import find_bundle
    from napari_vol2vol.systems import get_system
    from napari_vol2vol.tasks import get_task

    info = get_system(system)
    if not info.needs_bundle or info.own_steps:
        return info.default_steps
    return info.steps(find_bundle(bundle, get_task(task).name, system))
