"""`vol2vol export`: pictures, films, curves and a report of a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_vol2vol.commands.terminal import out
from napari_vol2vol.errors import SettingsError


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="File to write; what it is: .png, .gif, .mp4, .csv or .html."),
    ],
    volume: Annotated[
        str, typer.Option(help="Of a picture: x0, mean, uncertainty, error or sample-01 ...")
    ] = "x0",
    shown: Annotated[str, typer.Option(help="Of a film: x0, x_t or noise.")] = "x0",
    sample: Annotated[int, typer.Option(help="Of a film: which sample.")] = 1,
    window: Annotated[str, typer.Option(help="Width and level (80,40) or a CT window (abdomen).")] = "",
    at: Annotated[str, typer.Option(help="Where the planes meet, in mm: x,y,z; the middle by default.")] = "",
    convention: Annotated[str, typer.Option(help="radiological or neurological.")] = "radiological",
    fps: Annotated[float, typer.Option(help="Of a film: steps a second.")] = 4.0,
    overwrite: Annotated[bool, typer.Option(help="Replace a file that is there.")] = False,
) -> None:
    """Write a picture, a film, the curves or a one-page report of a run."""
    from napari_vol2vol.evaluation.export import export_run
    from napari_vol2vol.evaluation.run_exports import ExportSettings

    settings = ExportSettings(volume, window, position_of(at), convention, sample, shown, fps)  # type: ignore[arg-type]
    path = export_run(run, output, settings, overwrite=overwrite)
    out.print(f"wrote {path} ({path.stat().st_size / 1024:.0f} KiB)")


def position_of(text: str) -> tuple[float, float, float] | None:
    """Read ``x,y,z`` in mm; empty is None.

    Raises
    ------
    SettingsError
        If it is not three numbers.
    """
    if not text:
        return None
    try:
        x, y, z = (float(part) for part in text.split(","))
    except ValueError as error:
        raise SettingsError(f"at: found {text!r}, accepted are three numbers in mm: x,y,z") from error
    return x, y, z
