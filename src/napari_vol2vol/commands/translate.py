"""`vol2vol translate`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_vol2vol.errors import SettingsError

if TYPE_CHECKING:
    from napari_vol2vol.engine import Translation
    from napari_vol2vol.volume import Volume

from napari_vol2vol.commands.running import default_steps, run_with_progress
from napari_vol2vol.commands.sources import read_source, settings_of
from napari_vol2vol.commands.terminal import (
    EXIT_CANCELLED,
    as_text,
    check_output,
    errors,
    factor_of,
    out,
    print_json,
)


def translate(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="INPUT", help="NIfTI or DICOM; for reconstruction also raw data (.npy, .npz, .h5)."
        ),
    ],
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
    eta: Annotated[
        float | None,
        typer.Option(help="DDIM noise: 0 deterministic, 1 ancestral; the system's own if not given."),
    ] = None,
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
    simulate: Annotated[
        bool, typer.Option("--simulate", help="Measure INPUT first, and hold the result to it.")
    ] = False,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="NAME=VALUE of the system, the simulation or the raw file (views=60); repeatable."
        ),
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
    from napari_vol2vol.tasks import get_task

    beside = {name: _beside(output, name) for name in ("uncertainty", "error")}
    check_output(output, overwrite)
    if samples > 1:
        check_output(beside["uncertainty"], overwrite)
    if reference or simulate:
        check_output(beside["error"], overwrite)
    asked = get_task(task)
    block = factor_of(factor) if factor else None
    of_source, options = settings_of(asked, system, source, simulate, settings or [])
    volume, truth = read_source(
        asked, source, simulate=simulate, settings=of_source, factor=block, modality=modality
    )
    truth = read_volume(reference) if reference else truth
    if steps is None:
        steps = default_steps(task, system, bundle)
    request = Translation(
        task, system, bundle, steps, solver, samples, seed, device, precision, eta=eta,
        plane=plane, factor=block, consistency=consistency, options=options,
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
        print_json(summary)
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


def _beside(output: Path, name: str) -> Path:
    stem, dot, rest = output.name.partition(".nii")
    return output.with_name(f"{stem}_{name}{dot}{rest}")


def _write_report(path: Path, summary: object) -> None:
    try:
        path.write_text(as_text(summary))
    except OSError as error:
        raise SettingsError(f"report: {path} cannot be written ({error.strerror})") from error
