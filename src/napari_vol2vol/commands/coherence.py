"""`vol2vol coherence`: how consistent a volume is from slice to slice, beside a reference."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_vol2vol.commands.terminal import out, print_json
from napari_vol2vol.errors import SettingsError

if TYPE_CHECKING:
    from napari_vol2vol.metrics.coherence import Coherence

PLANES = ("axial", "coronal", "sagittal")


def coherence(
    volume: Annotated[Path, typer.Argument(metavar="VOLUME", help="The volume to look at.")],
    reference: Annotated[
        Path, typer.Option("--reference", "-r", help="The same anatomy on the same grid: source or truth.")
    ],
    boundaries: Annotated[
        str, typer.Option(help="First slices of slabs or tiles, e.g. axial:16,32,48; empty: none.")
    ] = "",
    profiles: Annotated[Path | None, typer.Option(help="Write the profiles as CSV.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Profiles, high frequency, slice medians and seams along each axis, always beside the reference's."""
    from napari_vol2vol.io import read_volume
    from napari_vol2vol.metrics.coherence import coherence as look
    from napari_vol2vol.volume import check_reference

    ours, theirs = read_volume(volume), read_volume(reference)
    check_reference(theirs, ours, "volume")
    result = look(ours.data, theirs.data, ours.spacing_mm, boundaries=boundaries_of(boundaries))
    if profiles is not None:
        profiles.write_text(as_csv(result))
    if as_json:
        print_json(as_dict(result))
        return
    out.print("ratios to the other two axes, the reference's in brackets")
    for name, mine, other in zip(PLANES, result.volume, result.reference, strict=True):
        out.print(
            f"{name:9} gradient {mine.gradient:.3f} ({other.gradient:.3f})  "
            f"high-frequency power {mine.power:.3f} ({other.power:.3f})  "
            f"median SSIM of neighbours {_median(mine.profiles.ssim):.4f} "
            f"({_median(other.profiles.ssim):.4f})"
        )
    for finding in result.findings:
        where = f", slices {', '.join(map(str, finding.slices))}" if finding.slices else ""
        out.print(
            f"{PLANES[finding.axis]}: {finding.text}: {finding.found:.3g}, expected about "
            f"{finding.expected:.3g}{where}  \\[{finding.panel}]"
        )
    if not result.findings:
        out.print("nothing differs from the reference beyond what other noise would do")


def boundaries_of(text: str) -> list[tuple[int, int]]:
    """Read ``axial:16,32`` or several such parts separated by blanks.

    Raises
    ------
    SettingsError
        Where a part is not a plane with slice numbers.
    """
    found = []
    for part in text.split():
        plane, _, numbers = part.partition(":")
        if plane not in PLANES or not all(n.isdigit() for n in numbers.split(",")):
            raise SettingsError(
                f"boundaries: found {part!r}, accepted is a plane ({', '.join(PLANES)}) with slice numbers, "
                "as in axial:16,32"
            )
        found += [(PLANES.index(plane), int(n)) for n in numbers.split(",")]
    return found


def as_dict(result: Coherence) -> dict[str, Any]:
    """Return everything as plain values, NaN as null."""
    sides = {"volume": result.volume, "reference": result.reference}
    return {
        "planes": {
            name: {
                side: {
                    "gradient": axes[i].gradient,
                    "high_frequency_power": axes[i].power,
                    "spacing_mm": axes[i].spacing_mm,
                    "ssim": _plain(axes[i].profiles.ssim),
                    "difference": _plain(axes[i].profiles.difference),
                    "median": _plain(axes[i].profiles.median),
                }
                for side, axes in sides.items()
            }
            for i, name in enumerate(PLANES)
        },
        "findings": [
            {"panel": f.panel, "plane": PLANES[f.axis], "text": f.text, "found": f.found,
             "expected": f.expected, "slices": list(f.slices)}
            for f in result.findings
        ],
    }  # fmt: skip


def as_csv(result: Coherence) -> str:
    """Return the profiles, one line a slice: plane, slice, mm, then SSIM, difference and median of both."""
    lines = ["plane,slice,mm,ssim,ssim_reference,difference,difference_reference,median,median_reference"]
    for name, mine, other in zip(PLANES, result.volume, result.reference, strict=True):
        for i in range(len(mine.profiles.median)):
            pairs = [
                values[i] if i < len(values) else float("nan")
                for field in ("ssim", "difference", "median")
                for values in (getattr(mine.profiles, field), getattr(other.profiles, field))
            ]
            figures = ",".join("" if v != v else f"{v:.6g}" for v in pairs)
            lines.append(f"{name},{i},{i * mine.spacing_mm:.6g},{figures}")
    return "\n".join(lines) + "\n"


def _median(values: Any) -> float:
    import numpy as np

    return float(np.nanmedian(values))


def _plain(values: Any) -> list[float | None]:
    return [None if v != v else float(v) for v in values]
