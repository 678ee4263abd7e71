"""The table of 4x super-resolution on real volumes, and the short one of the demo."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_vol2vol.engine import Done, SampleDone, Translation, translate
from napari_vol2vol.evaluation.peak_memory import resident_peak_gib
from napari_vol2vol.io import read_volume
from napari_vol2vol.metrics.calibration import mean_absolute_calibration_error
from napari_vol2vol.metrics.fidelity import PERCENTILE, fidelity
from napari_vol2vol.systems.registry import get_system
from napari_vol2vol.tasks.registry import get_task
from napari_vol2vol.volume import Volume

SYSTEMS = ("trilinear", "smooth-inverse", "unet-3d", "palette", "tpdm", "score-fusion")


@dataclass(frozen=True)
class Row:
    """One system on one volume. PSNR in dB with peak 1 (99.5th percentile of the whole volume); MACE x 1e4.

    ``psnr_single`` is the mean over the samples of each sample's own PSNR, ``psnr_std`` their standard
    deviation; ``seconds`` per sample; ``peak_gib`` is the process's peak resident memory so far.
    """

    volume: str
    system: str
    samples: int
    psnr_single: float
    psnr_std: float
    ssim_single: float
    psnr_mean: float
    ssim_mean: float
    mace: float | None
    data_residual: float
    seconds: float
    peak_gib: float


def central_block(volume: Volume, size: int | None, *, scaled: bool = True) -> Volume:
    """Return the central cube of ``size`` voxels (None: all), in units of the 99.5th percentile.

    That percentile is the whole volume's; it becomes 1, and what lies outside [0, 1] is clipped.
    ``scaled=False`` keeps the values as they are.
    """
    data = volume.data
    if scaled:
        data = np.clip(data / float(np.percentile(data, PERCENTILE)), 0, 1)
    if size is None:
        return volume.with_data(data)
    start = [max(0, n // 2 - size // 2) for n in volume.shape]
    cut = data[tuple(slice(s, s + size) for s in start)]
    affine = volume.affine.copy()
    affine[:3, 3] = (volume.affine @ [*start[::-1], 1])[:3]
    return volume.with_data(cut, affine=affine)


def measure(truth: Volume, system: str, *, samples: int, seed: int = 0, **settings: object) -> Row:
    """Degrade ``truth`` (scaled to [0, 1]), restore it and compare.

    ``settings`` are further fields of `Translation`, for instance ``steps``.
    """
    low = get_task("super-resolution").degrade(truth)
    request = Translation(
        system=system,
        samples=samples if get_system(system).stochastic else 1,
        seed=seed,
        **settings,  # type: ignore[arg-type]
    )
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        events = list(translate(request, low, reference=truth, folder=Path(folder) / "run"))
        seconds = (time.monotonic() - begin) / request.samples
        paths = [event.path for event in events if isinstance(event, SampleDone) and event.path]
        singles = [_compare(truth, read_volume(path).data) for path in paths]
    done = events[-1]
    assert isinstance(done, Done)
    mean = _compare(truth, done.volumes["mean"].data)
    std = done.volumes.get("uncertainty")
    mace = None
    if std is not None:
        mace = 1e4 * mean_absolute_calibration_error(
            mean=done.volumes["mean"].data, std=std.data, reference=truth.data
        )
    psnrs, ssims = np.array([s[0] for s in singles]), np.array([s[1] for s in singles])
    return Row(
        truth.name, system, len(singles), float(psnrs.mean()),
        float(psnrs.std(ddof=1)) if len(psnrs) > 1 else 0.0, float(ssims.mean()),
        mean[0], mean[1], mace, done.metrics["data_residual"], seconds, resident_peak_gib(),
    )  # fmt: skip


def _compare(truth: Volume, x: NDArray[np.float32]) -> tuple[float, float]:
    result = fidelity(truth.with_data(x), truth, data_range=1.0)
    return result.psnr, result.ssim


def table(
    truths: Sequence[Volume], systems: Sequence[str] = SYSTEMS, *, samples: int = 5, **settings: object
) -> Iterator[Row]:
    """Yield one row a volume and system."""
    for truth in truths:
        for system in systems:
            yield measure(truth, system, samples=samples, **settings)  # type: ignore[arg-type]


def as_markdown(rows: Sequence[Row]) -> str:
    """Return the rows as a table, with the mean over the volumes at the end where there are several."""
    lines = [
        "| volume | system | PSNR single ± std | SSIM single | PSNR mean of N | SSIM mean | MACE ×1e4 "
        "| data residual | s / sample | peak GiB |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [_line(asdict(row)) for row in rows]
    volumes = {row.volume for row in rows}
    if len(volumes) > 1:
        for system in dict.fromkeys(row.system for row in rows):
            mine = [asdict(row) for row in rows if row.system == system]
            if len(mine) == len(volumes):
                lines.append(_line(_mean_row(mine)))
    return "\n".join(lines)


def _mean_row(rows: list[dict[str, object]]) -> dict[str, object]:
    mean: dict[str, object] = {
        "volume": "**mean**",
        "system": rows[0]["system"],
        "samples": rows[0]["samples"],
    }
    for key in (
        "psnr_single",
        "psnr_std",
        "ssim_single",
        "psnr_mean",
        "ssim_mean",
        "data_residual",
        "seconds",
    ):
        mean[key] = float(np.mean([row[key] for row in rows]))
    values = [row["mace"] for row in rows]
    mean["mace"] = None if None in values else float(np.mean(values))  # type: ignore[arg-type]
    mean["peak_gib"] = max(float(row["peak_gib"]) for row in rows)  # type: ignore[arg-type]
    return mean


def _line(row: dict[str, object]) -> str:
    r = row
    spread = f" ± {r['psnr_std']:.2f}" if r["samples"] != 1 else ""
    mean = f"{r['psnr_mean']:.2f} | {r['ssim_mean']:.3f}" if r["samples"] != 1 else "– | –"
    mace = "–" if r["mace"] is None else f"{r['mace']:.0f}"
    return (
        f"| {r['volume']} | {r['system']} | {r['psnr_single']:.2f}{spread} | {r['ssim_single']:.3f} | {mean} "
        f"| {mace} | {r['data_residual']:.0e} | {r['seconds']:.1f} | {r['peak_gib']:.1f} |"
    )
