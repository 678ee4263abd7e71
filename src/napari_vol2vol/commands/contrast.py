"""`vol2vol contrast`: look at contrast removal on a real CT, and time it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_vol2vol.commands.terminal import check_output, out, print_json
from napari_vol2vol.errors import SettingsError

if TYPE_CHECKING:
    from napari_vol2vol.evaluation.contrast_check import ContrastCheck


def check(
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="A contrast-enhanced CT.")],
    result: Annotated[
        Path | None, typer.Option(help="A finished translation of it; without one the system is run.")
    ] = None,
    system: Annotated[str, typer.Option(help="System of contrast-removal.")] = "mfm",
    solver: Annotated[str, typer.Option(help="ODE solver.")] = "auto",
    steps: Annotated[int, typer.Option(help="Steps of the solver.")] = 1,
    bundle: Annotated[str | None, typer.Option(help="Bundle of trained weights.")] = None,
    labels: Annotated[
        Path | None, typer.Option(help="Label volume of the CT; without one tissues are found by their HU.")
    ] = None,
    region: Annotated[
        list[str] | None, typer.Option(help="With --labels: a region and its values, aorta=52; repeatable.")
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write the result here.")] = None,
    figure: Annotated[
        Path | None, typer.Option(help="Draw before, after and change in three planes.")
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace an existing output.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Remove contrast medium from a CT; print HU by tissue and how slices differ, before and after."""
    from napari_vol2vol.commands.running import run_with_progress
    from napari_vol2vol.engine import Translation
    from napari_vol2vol.evaluation.contrast_check import check_contrast
    from napari_vol2vol.evaluation.ct_tissues import labelled, tissues
    from napari_vol2vol.io import read_volume, write_volume
    from napari_vol2vol.volume import check_reference

    if output is not None:
        check_output(output, overwrite)
    before = read_volume(source)
    if labels is not None:
        marks = read_volume(labels)
        check_reference(before, marks, "labels")
        masks = labelled(marks, regions_of(region or []))
    else:
        masks = tissues(before)
    if result is None:
        request = Translation("contrast-removal", system, bundle=bundle, solver=solver, steps=steps)
        done = run_with_progress(request, before)
        after = done.volumes["mean"]
        if output is not None:
            write_volume(after, output, overwrite=overwrite, record=done.record)
    else:
        after = read_volume(result)
    found = check_contrast(before, after, masks)
    if figure is not None:
        from napari_vol2vol.evaluation.contrast_figure import draw_change

        draw_change(before, after, masks, figure)
    if as_json:
        print_json(found.as_dict())
    else:
        _print(found)


def regions_of(texts: list[str]) -> dict[str, tuple[int, ...]]:
    """Read ``name=1,2`` texts.

    Raises
    ------
    SettingsError
        Where a text is not of that form, or there is none.
    """
    if not texts:
        raise SettingsError("region: found none, accepted with labels are one or more like aorta=52")
    found = {}
    for text in texts:
        name, _, values = text.partition("=")
        if not name or not all(v.strip().isdigit() for v in values.split(",")):
            raise SettingsError(
                f"region: found {text!r}, accepted is a name with label values, as in lung=10,11"
            )
        found[name] = tuple(int(v) for v in values.split(","))
    return found


def _print(found: ContrastCheck) -> None:
    from napari_vol2vol.anatomical_planes import PLANES
    from napari_vol2vol.evaluation.contrast_check import CHANGED_HU

    beyond = f"by > {CHANGED_HU:g} HU"
    out.print(f"{'medians':12} {'voxels':>9} {'HU before':>10} {'after':>8} {'change':>8} {beyond:>12}")
    for t in found.tissues:
        medians = f"{t.before:10.1f} {t.after:8.1f} {t.change:+8.1f}"
        out.print(f"{t.region:12} {t.voxels:9d} {medians} {100 * t.changed:10.1f} %")
    for x in found.left_out:
        out.print(
            f"{x.region:12} left as it was: {100 * x.voxels:.1f} % of its voxels, more than a quarter in "
            f"{100 * x.slices:.1f} % of its {x.of} slices"
        )
    out.print("mean difference of neighbouring slices, after over before; slices within 10 %")
    for s in found.slices:
        out.print(f"{s.plane:12} {s.ratio:9.3f} {100 * s.within:8.1f} %")
    for f in found.findings:
        out.print(f"{PLANES[f.axis].name}: {f.text}: {f.found:.3g}, expected {f.expected:.3g}")
    if not found.findings:
        out.print("coherence: nothing differs from the source beyond what other noise would do")


def bench(
    size: Annotated[int, typer.Option(help="Pixels along each side of a slice.")] = 512,
    slices: Annotated[int, typer.Option(help="Slices of the scan.")] = 200,
    solver: Annotated[str, typer.Option(help="ODE solver.")] = "rk2",
    steps: Annotated[int, typer.Option(help="Steps of the solver.")] = 1,
    bundle: Annotated[str | None, typer.Option(help="Bundle of trained weights.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Time the flow on a procedural scan, against a plain loop over slices in float32."""
    from dataclasses import asdict

    from napari_vol2vol.evaluation.contrast_bench import bench_contrast

    found = bench_contrast(size, slices, solver=solver, steps=steps, bundle=bundle)
    if as_json:
        names = ("seconds_a_slice", "seconds_a_call", "faster", "run_faster", "bound")
        more = {name: getattr(found, name) for name in names}
        print_json(asdict(found) | more)
        return
    out.print(
        f"{slices} slices of {size} x {size}, {solver} x {steps}, {found.precision}: {found.seconds:.1f} s, "
        f"{found.seconds_a_slice:.3f} s a slice, {found.seconds_a_call:.3f} s a slice and network call"
    )
    out.print(
        f"network calls alone, of a slice: batched {found.batched_seconds_a_call:.4f} s, slice by slice in "
        f"float32 {found.plain_seconds_a_call:.4f} s: {found.faster:.2f} times faster "
        f"({found.run_faster:.2f} with all else that the run does)"
    )
    batched = found.gflop / found.batched_seconds_a_call
    plain = found.plain_gflop / found.plain_seconds_a_call
    out.print(
        f"{found.gflop:.1f} GFLOP, slice by slice {found.plain_gflop:.1f}: {batched:.0f} and {plain:.0f} "
        f"GFLOP/s; matrix products in {found.precision} reach {found.product_gflop_a_second:.0f} here: "
        f"{found.bound:.1f} times faster at the most"
    )
