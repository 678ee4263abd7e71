"""From the rows of a comparison to what is left in its folder: tables and figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from napari_vol2vol import __version__
from napari_vol2vol.evaluation.aggregate import OF_SEVERAL_SAMPLES, Line, Table, make_table
from napari_vol2vol.evaluation.cases import Case
from napari_vol2vol.evaluation.features import NamedFeatures
from napari_vol2vol.evaluation.phases import regions_in_words
from napari_vol2vol.evaluation.rows import Row
from napari_vol2vol.evaluation.set_distances import Distances, real_versus_real, set_distances
from napari_vol2vol.evaluation.suite import Suite
from napari_vol2vol.evaluation.tables import write_tables
from napari_vol2vol.options import options_of, resolve
from napari_vol2vol.tasks.registry import get_task


def write_report(
    suite: Suite,
    cases: Sequence[Case],
    rows: Sequence[Row],
    output: Path,
    features: NamedFeatures | None = None,
) -> Table:
    """Write ``table.csv``, ``table.md`` and ``table.json`` and return the table.

    Parameters
    ----------
    features : NamedFeatures, optional
        Feature extractor for FID and KID; its name stands above every format of the table.
    """
    distances = set_distances(cases, rows, output, features)
    real = real_versus_real(cases, features)
    notes = notes_of(suite, cases, rows, real)
    if features is not None:
        notes.append(_feature_note(features, distances, real))
    table = make_table(suite.title or suite.name, notes, rows, suite.baseline, distances)
    hidden = OF_SEVERAL_SAMPLES if all(row.samples == 1 for row in rows) else ()
    table = replace(table, lines=(*table.lines, *_real_line(real)), hidden=hidden)
    more = {
        "suite": suite.name,
        "features": features and features.name,
        "set_distances": {system: found.as_dict() for system, found in distances.items()},
        "real_versus_real": real.as_dict(),
    }
    write_tables(table, output, more)
    return table


def notes_of(suite: Suite, cases: Sequence[Case], rows: Sequence[Row], real: Distances) -> list[str]:
    """Return the lines above a table that say what its figures are."""
    factor = " × ".join(str(k) for k in cases[0].factor)
    made = f"from block means of {factor} voxels" if suite.degrades else f"from {', '.join(suite.inputs)}"
    if suite.measures:
        made = f"from {_measurement_words(suite)}"
    extra = f", guided by {', '.join(suite.inputs)}" if suite.degrades and suite.inputs else ""
    blocks = ", ".join(dict.fromkeys("×".join(map(str, case.reference.shape)) for case in cases))
    whole = "whole reference, clipped to [0, 1]" if suite.degrades else "reference's block"
    if suite.measures:
        above = f" above {cases[0].zero:g} HU" if cases[0].zero else ""
        whole = f"reference's slab{above} ({', '.join(f'{c.name} {c.unit:.4g}' for c in cases)})"
    range_words = f"the 99.5th percentile of the {whole}"
    if suite.changes_contrast:
        made = f"from the {'arterial' if suite.target == 'native' else 'native'} phase"
        range_words = f"{cases[0].unit:g} HU, from {cases[0].zero:g} HU on, as in the paper"
    seeds = ", ".join(map(str, suite.seeds))
    devices = ", ".join(dict.fromkeys(f"{row.device} in {row.precision}" for row in rows))
    notes = [
        f"task {suite.task}: {suite.target} {made}{extra}; blocks of {blocks} voxels (z, y, x)",
        f"data range 1: {range_words}; PSNR in dB for that peak; MAE and MACE are shares of it",
        *_sample_notes(suite, seeds),
        f"napari-vol2vol {__version__}, {devices}; seconds without reading weights and writing files; peak "
        f"memory {_peak(rows)}",
    ]
    if suite.changes_contrast:
        notes.append(f"MAE / HU: of the mean of the samples, whole and in regions ({regions_in_words()})")
    if suite.baseline:
        notes.append(f"differences are to {suite.baseline}, paired by volume")
    if len(cases) > 1:
        notes.append(_set_note(len(cases), real))
    return notes


def _sample_notes(suite: Suite, seeds: str) -> list[str]:
    same = f"every system gets the same input and the same noise: seed {seeds}, "
    if suite.samples == 1:
        return [f"{same}one sample"]
    return [
        f"{same}{suite.samples} samples where it draws any; single is the mean over samples of each one's "
        "figure ± their standard deviation, mean of N the figure of their mean",
        "“in 50 %” is the share of voxels inside the central 50 % interval (Student's t for that N), ideal "
        "0.5, and so on",
    ]


def _measurement_words(suite: Suite) -> str:
    """Return every setting of the simulation, those at their defaults too."""
    task = get_task(suite.task)
    values = resolve(options_of(task.simulation), suite.simulation, task.name)
    return ", ".join(f"{k} {'auto' if v is None else v}" for k, v in values.items() if v != "")


def _peak(rows: Sequence[Row]) -> str:
    own = all(row.peak_is_own for row in rows)
    return "of each row by itself" if own else "of the process so far (this system cannot tell rows apart)"


def _real_line(real: Distances) -> list[Line]:
    """Return the line of the two halves of the references, where there is any distance between them."""
    values = {name: part and part["value"] for name, part in real.as_dict().items()}
    if not any(value is not None for value in values.values()):
        return []
    return [Line("mean", "two halves of the references", "real versus real", values)]


def _feature_note(features: NamedFeatures, distances: Mapping[str, Distances], real: Distances) -> str:
    found = next((d.frechet for d in distances.values() if d.frechet is not None), None)
    if found is None:
        return f"FID and KID: {features.name}; too few rows of features for any"
    halves = "too few references for two halves"
    if real.frechet is not None:
        halves = f"the halves of the references have N = {real.frechet.n_a} and {real.frechet.n_b}"
    return (
        f"FID and KID: {features.name}; N = {found.n_a} rows of each system against {found.n_b} of the "
        f"references, d = {found.d}; {halves}. FID falls as N grows even for two sets of one distribution: "
        "read it against real versus real, and only beside values of the same features, N and d. KID is "
        "unbiased for independent sets; results are made from the very references, so theirs can lie below 0"
    )


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
