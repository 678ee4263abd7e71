"""`vol2vol`: the command line. Imports neither napari nor Qt; torch only where a command needs it."""

from __future__ import annotations

from collections.abc import Callable

import typer

from napari_vol2vol.commands import contrast, inventory, study
from napari_vol2vol.commands.coherence import coherence
from napari_vol2vol.commands.compare import compare
from napari_vol2vol.commands.downstream import downstream
from napari_vol2vol.commands.export import export
from napari_vol2vol.commands.series import measure, register
from napari_vol2vol.commands.tables import bench, demo, reproduce
from napari_vol2vol.commands.terminal import guarded
from napari_vol2vol.commands.training import train
from napari_vol2vol.commands.translate import translate
from napari_vol2vol.commands.volumes import degrade, evaluate

app = typer.Typer(
    name="vol2vol", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    help="Translate medical volumes with generative models. For research and teaching; not for diagnosis.",
)  # fmt: skip
bundles_app = typer.Typer(no_args_is_help=True, help="Trained weights: list, show, verify, path.")
app.add_typer(bundles_app, name="bundles")
contrast_app = typer.Typer(no_args_is_help=True, help="Contrast removal: look at it on a real CT, time it.")
app.add_typer(contrast_app, name="contrast")
study_app = typer.Typer(no_args_is_help=True, help="Reader studies: design, blind, merge, lock, analyse.")
app.add_typer(study_app, name="study")
COMMANDS: tuple[Callable[..., None], ...] = (
    translate, degrade, evaluate, coherence, train, inventory.systems, bench, demo, reproduce, compare,
    downstream, register, measure, export,
)  # fmt: skip
BUNDLE_COMMANDS: dict[str, Callable[..., None]] = {
    "list": inventory.list_all, "show": inventory.show, "verify": inventory.verify, "path": inventory.path_of,
}  # fmt: skip
STUDY_COMMANDS: tuple[Callable[..., None], ...] = (
    study.new, study.check, study.freeze, study.read, study.rehearse, study.plan, study.merge, study.verify,
    study.lock, study.analyse, study.calibrate,
)  # fmt: skip
for command in COMMANDS:
    app.command()(guarded(command))
for name, command in BUNDLE_COMMANDS.items():
    bundles_app.command(name)(guarded(command))
for command in (contrast.check, contrast.bench):
    contrast_app.command()(guarded(command))
for command in STUDY_COMMANDS:
    study_app.command()(guarded(command))


def main() -> None:
    """Entry point of the `vol2vol` command."""
    app()


if __name__ == "__main__":
    main()
