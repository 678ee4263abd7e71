"""`vol2vol degrade` and `vol2vol evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    pass

from napari_vol2vol.commands.terminal import (
    check_output,
    factor_of,
    out,
    print_json,
)


def degrade(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="NIfTI file, or DICOM file or folder.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Result (.nii or .nii.gz; .npz for sinogram or k-space).")
    ],
    task: Annotated[str, typer.Option(help="What to prepare an input for.")] = "super-resolution",
    factor: Annotated[str, typer.Option(help="4, or 4,4,1 in z,y,x order.")] = "4",
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=VALUE of the simulation (views=60); repeatable.")
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace an existing output.")] = False,
) -> None:
    """Make the input that a task would start from: block averages, or a measurement and its plain image."""
    from napari_vol2vol.commands.sources import parsed, simulated
    from napari_vol2vol.io import read_volume, write_volume
    from napari_vol2vol.io.provenance import build_record, describe_input
    from napari_vol2vol.options import options_of
    from napari_vol2vol.tasks import get_task

    asked = get_task(task)
    values = parsed(options_of(asked.simulation), settings or [])
    raw = asked.accepts_raw and output.suffix == ".npz"
    check_output(output, overwrite, (".npz",) if raw else (".nii", ".nii.gz"))
    volume = read_volume(source)
    low, _ = simulated(asked, volume, values, factor_of(factor))
    if raw and low.measured is not None:
        from napari_vol2vol.io.raw_write import write_measured

        write_measured(low.measured, output)
        out.print(f"wrote {output}: measurement of {low.shape} voxels (z, y, x)")
        return
    made = {"factor": factor} if low.measured is None else {"measurement": low.measured.summary()}
    record = build_record(
        inputs=[describe_input(volume)], task=f"degrade: {task}", settings=made, generated=False
    )
    write_volume(low, output, overwrite=overwrite, record=record)
    spacing = " × ".join(f"{s:.3g}" for s in low.spacing_mm)
    out.print(f"wrote {output}: {low.shape} voxels of {spacing} mm (z, y, x)")


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
        print_json(result.as_dict())
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
