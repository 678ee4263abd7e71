"""`vol2vol downstream`: how well a segmentation does with each system's output in place of the truth."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from napari_vol2vol.commands.terminal import errors


def downstream(
    suite: Annotated[
        str, typer.Argument(metavar="SUITE", help="t1ce-flair, sr4-flair, ... or a YAML file of your own.")
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder of `vol2vol compare` (comparisons/SUITE)."),
    ] = None,
    bundle: Annotated[
        str | None, typer.Option(help="Segmentation bundle, name or folder (brain-regions).")
    ] = None,
    answer: Annotated[
        str, typer.Option(help="What stands for a system: the mean of its samples, or the first sample.")
    ] = "mean",
    only: Annotated[list[str] | None, typer.Option(help="Only these systems; repeatable.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the table as JSON.")] = False,
) -> None:
    """Report Dice and recovery rate by region; rows that `vol2vol compare` has not run yet are run first."""
    from napari_vol2vol.evaluation.cases import load_cases
    from napari_vol2vol.evaluation.compare import compare
    from napari_vol2vol.evaluation.downstream import Judge, check_answer
    from napari_vol2vol.evaluation.downstream_report import report_downstream
    from napari_vol2vol.evaluation.downstream_table import as_markdown
    from napari_vol2vol.evaluation.downstream_truth import check_truths
    from napari_vol2vol.evaluation.segmentation_bundle import find_segmentation
    from napari_vol2vol.evaluation.suite import load_suite

    check_answer(answer)
    loaded = load_suite(suite)
    loaded = loaded.only(only) if only else loaded
    judge = Judge(find_segmentation(bundle))
    check_truths(loaded, judge.card.inputs)
    folder = output or Path("comparisons") / loaded.name
    cases = list(load_cases(loaded, lambda names: []))  # procedural heads alone: nothing is fetched
    rows = list(compare(loaded, cases, folder, say=_say))
    table = report_downstream(loaded, cases, rows, folder, judge, answer=answer, say=_say)
    written = (folder / "downstream.json").read_text(encoding="utf-8") if as_json else as_markdown(table)
    sys.stdout.write(written)
    _say(f"wrote downstream.csv, .md and .json to {folder}")


def _say(text: str) -> None:
    errors.print(escape(text), highlight=False)
