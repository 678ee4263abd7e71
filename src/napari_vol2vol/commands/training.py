"""`vol2vol train`."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

if TYPE_CHECKING:
    pass

from napari_vol2vol.commands.terminal import (
    interrupt_sets,
    out,
)


def train(
    recipe: Annotated[
        str,
        typer.Argument(metavar="RECIPE", help="A shipped recipe (sr4-t1-planes, ...) or a YAML file."),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for checkpoint, curves and bundle.")
    ] = Path("runs"),
    volumes: Annotated[Path | None, typer.Option(help="Folder with the training volumes.")] = None,
    dry_run: Annotated[
        bool, typer.Option(help="A few steps on procedural heads, in a folder dry-run.")
    ] = False,
    threads: Annotated[int | None, typer.Option(help="CPU threads.")] = None,
) -> None:
    """Train a recipe; Ctrl-C writes a checkpoint, and the same command resumes from it."""
    import torch

    from napari_vol2vol.training.recipe import load_recipe
    from napari_vol2vol.training.run import train as run_training

    loaded = load_recipe(recipe)
    if threads:
        torch.set_num_threads(threads)
    cancel = threading.Event()
    with interrupt_sets(cancel):
        run_training(
            loaded.dry() if dry_run else loaded,
            (output / "dry-run" if dry_run else output) / loaded.name, volumes=volumes,
            say=lambda text: out.print(escape(text), highlight=False), cancel=cancel,
        )  # fmt: skip
