"""From the rows of a comparison to what is left in its folder: tables and figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from napari_vol2vol import __version__
from napari_vol2vol.evaluation.aggregate import Table, make_table
from napari_vol2vol.evaluation.cases import Case
from napari_vol2vol.evaluation.rows import Row
from napari_vol2vol.evaluation.set_distances import Distances, Features, real_versus_real, set_distances
from napari_vol2vol.evaluation.suite import Suite
from napari_vol2vol.evaluation.tables import write_tables


def write_report(
    suite: Suite, cases: Sequence[Case], rows: Sequence[Row], output: Path, features: Features | None = None
) -> Table:
    """Write ``table.csv``, ``table.md`` and ``table.json`` and return the table.

    Parameters
    ----------
    features : callable, optional
        Feature extractor for FID and KID: from a volume (z, y, x) to features (n, d).
    """
    distances = set_distances(cases, rows, output, features)
    real = real_versus_real(cases, features)
    notes = notes_of(suite, cases, rows, real)
    table = make_table(suite.title or suite.name, notes, rows, suite.baseline, distances)
    more = {
        "suite": suite.name,
        "set_distances": {system: found.as_dict() for system, found in distances.items()},
        "real_versus_real": real.as_dict(),
    }
    write_tables(table, output, more)
    return table


def notes_of(suite: Suite, cases: Sequence[Case], rows: Sequence[Row], real: Distances) -> list[str]:
    """Return the lines above a table that say what its figures are."""
    factor = " × ".join(str(k) for k in cases[0].factor)
    made = f"from block means of {factor} voxels" if suite.degrades else f"from {', '.join(suite.inputs)}"
    extra = f", guided by {', '.join(suite.inputs)}" if suite.degrades and suite.inputs else ""
    blocks = ", ".join(dict.fromkeys("×".join(map(str, case.reference.shape)) for case in cases))
    whole = "whole reference, clipped to [0, 1]" if suite.degrades else "reference's block"
    seeds = ", ".join(map(str, suite.seeds))
    devices = ", ".join(dict.fromkeys(f"{row.device} in {row.precision}" for row in rows))
    notes = [
        f"task {suite.task}: {suite.target} {made}{extra}; blocks of {blocks} voxels (z, y, x)",
        f"data range 1: the 99.5th percentile of the {whole}; PSNR in dB for that peak; MAE and MACE are "
        "shares of it",
        f"every system gets the same input and the same noise: seed {seeds}, {suite.samples} samples where "
        "it draws any; single is the mean over samples of each one's figure ± their standard deviation, mean "
        "of N the figure of their mean",
        "“in 50 %” is the share of voxels inside the central 50 % interval (Student's t for that N), ideal "
        "0.5, and so on",
        f"napari-vol2vol {__version__}, {devices}; seconds without reading weights and writing files; peak "
        f"memory {_peak(rows)}",
    ]
    if suite.baseline:
        notes.append(f"differences are to {suite.baseline}, paired by volume")
    if len(cases) > 1:
        notes.append(_set_note(len(cases), real))
    return notes


def _peak(rows: Sequence[Row]) -> str:
    own = all(row.peak_is_own for row in rows)
    return "of each row by itself" if own else "of the process so far (this system cannot tell rows apart)"


def _set_note(count: int, real: Distances) -> str:
    parts = []
    for name, found in (("MMD²", real.volume_mmd), ("FID", real.frechet), ("KID", real.kernel)):
        if found is not None:
            parts.append(f"{name} {found.value:.4g} (N = {found.n_a} and {found.n_b})")
    halves = ", ".join(parts) or "too few volumes"
    return (
        f"MMD² of volumes: squared distance of the mean volumes, first sample of each of {count} volumes "
        f"against their references; two halves of the references: {halves}"
    )
