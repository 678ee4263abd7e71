"""`vol2vol compare`: every system of a suite on the same measurements, as tables and figures."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from napari_vol2vol.commands.terminal import errors

if TYPE_CHECKING:
    from napari_vol2vol.evaluation.rows import Row


def compare(
    suite: Annotated[
        str, typer.Argument(metavar="SUITE", help="sr4-t1, sr4-phantom, or a YAML file of your own.")
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder for rows, tables and figures (comparisons/SUITE)."),
    ] = None,
    volumes: Annotated[Path | None, typer.Option(help="Folder of scripts/fetch_volumes.py.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="Only these systems; repeatable.")] = None,
    features: Annotated[
        str,
        typer.Option(
            help="For FID and KID: none, default (encoder of brain-regions), your own file, or auto: "
            "default where the target is a contrast of the brain."
        ),
    ] = "auto",
    figures: Annotated[bool, typer.Option(help="Draw a picture of every volume.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print the table as JSON.")] = False,
) -> None:
    """Run the systems of a suite on the same input and noise; a rerun goes on where the last one stopped."""
    from napari_vol2vol.evaluation.cases import load_cases
    from napari_vol2vol.evaluation.compare import compare as run
    from napari_vol2vol.evaluation.features import features_for, load_features
    from napari_vol2vol.evaluation.figure import require_matplotlib, write_figures
    from napari_vol2vol.evaluation.framing import frame_of
    from napari_vol2vol.evaluation.report import write_report
    from napari_vol2vol.evaluation.suite import load_suite
    from napari_vol2vol.evaluation.tables import as_markdown
    from napari_vol2vol.training.run import find_volumes, volumes_folder

    loaded = load_suite(suite)
    loaded = loaded.only(only) if only else loaded
    folder = output or Path("comparisons") / loaded.name
    extractor = load_features(features_for(loaded.target) if features == "auto" else features)
    if figures:
        require_matplotlib()
    where = volumes or volumes_folder()
    cases = list(load_cases(loaded, lambda names: find_volumes(names, where)))
    for case in cases:
        frame_of(loaded.view, case.reference)
    rows = []
    for row in run(loaded, cases, folder, say=_say):
        rows.append(row)
        _say(_progress(row, len(rows)))
    table = write_report(loaded, cases, rows, folder, extractor)
    if figures:
        _say("drawing")
        write_figures(loaded, cases, rows, folder)
    text = (folder / "table.json").read_text(encoding="utf-8") if as_json else as_markdown(table)
    sys.stdout.write(text)
    _say(f"wrote tables and figures to {folder}")


def _progress(row: Row, number: int) -> str:
    mean = "" if row.psnr_std is None else f", mean of {row.samples} {row.psnr_mean:.2f} dB"
    return (
        f"{number}: {row.volume} {row.system}: {row.psnr_single:.2f} dB{mean}, {row.seconds:.1f} s a sample"
    )


def _say(text: str) -> None:
    errors.print(escape(text), highlight=False)
