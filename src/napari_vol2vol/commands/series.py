"""`vol2vol register` and `vol2vol measure`: two series on one grid, and values inside regions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_vol2vol.commands.terminal import check_output, out, print_json


def register(
    moving: Annotated[Path, typer.Argument(metavar="MOVING", help="The series to be moved.")],
    fixed: Annotated[Path, typer.Argument(metavar="FIXED", help="The series that stays.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Result (.nii or .nii.gz).")],
    method: Annotated[str, typer.Option(help="rigid, or deformable: B-splines on top.")] = "deformable",
    overwrite: Annotated[bool, typer.Option(help="Replace an existing output.")] = False,
) -> None:
    """Register one series of a patient to another and write it on that one's grid (needs SimpleITK)."""
    from napari_vol2vol.io import read_volume, write_volume
    from napari_vol2vol.io.provenance import build_record, describe_input
    from napari_vol2vol.registration import register as run

    check_output(output, overwrite)
    source, target = read_volume(moving), read_volume(fixed)
    found = run(source, target, method=method)
    record = build_record(
        inputs=[describe_input(source), describe_input(target)], task="register",
        settings={"method": method, "mutual_information": [found.before, found.after]}, generated=False,
    )  # fmt: skip
    write_volume(found.volume, output, overwrite=overwrite, record=record)
    out.print(
        f"wrote {output}; mutual information inside the body {found.before:.3f} nats before, "
        f"{found.after:.3f} after"
    )


def measure(
    volume: Annotated[Path, typer.Argument(metavar="VOLUME", help="The volume to measure in.")],
    labels: Annotated[Path, typer.Argument(metavar="LABELS", help="Label volume on its grid; 0 is nothing.")],
    before: Annotated[
        Path | None, typer.Option(help="Another volume on the grid: its figures and the change from it.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Mean, spread, median and 5th to 95th percentile inside each label, e.g. HU in aorta and liver."""
    from dataclasses import asdict

    from napari_vol2vol.io import read_volume
    from napari_vol2vol.metrics.regions import change_by_region, region_statistics
    from napari_vol2vol.volume import check_reference

    ours, regions = read_volume(volume), read_volume(labels)
    check_reference(ours, regions, "labels")
    whole = regions.data.round().astype("int64")
    rows = [asdict(r) for r in region_statistics(ours.data, whole)]
    if before is not None:
        first = read_volume(before)
        check_reference(ours, first, "before")
        change = change_by_region(first.data, ours.data, whole)
        medians = {r.label: r.median for r in region_statistics(first.data, whole)}
        for row in rows:
            row |= {"median_before": medians[row["label"]], "median_change": change[row["label"]]}
    if as_json:
        print_json({"units": ours.units, "regions": rows})
        return
    for row in rows:
        moved = (
            f"; median before {row['median_before']:.1f}, change {row['median_change']:+.1f}"
            if before is not None
            else ""
        )
        out.print(
            f"label {row['label']}: {row['voxels']} voxels, mean {row['mean']:.1f} ± {row['std']:.1f}, "
            f"median {row['median']:.1f} ({row['low']:.1f} to {row['high']:.1f}) {ours.units}{moved}"
        )
