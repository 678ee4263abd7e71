"""Run every system of a suite on the same measurements and the same noise, one row at a time."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from napari_vol2vol.engine import Done, Event, Notice, Progress, SampleDone, Started, translate
from napari_vol2vol.engine.run import run_length
from napari_vol2vol.evaluation.cases import Case
from napari_vol2vol.evaluation.peak_memory import peak_gib, reset_peak
from napari_vol2vol.evaluation.phases import errors_in_hounsfield
from napari_vol2vol.evaluation.rows import Ledger, Row, faithfulness_of, figures_of
from napari_vol2vol.evaluation.suite import Suite
from napari_vol2vol.evaluation.trials import Trial, trials_of
from napari_vol2vol.io import read_volume

Say = Callable[[str], None]
ROWS = "rows.jsonl"
#: The task whose source is another image of the result's grid.
TRANSLATION = "modality-translation"


def compare(
    suite: Suite, cases: Sequence[Case], output: Path, *, say: Say = lambda text: None
) -> Iterator[Row]:
    """Yield one row a volume, system and seed, in the suite's order.

    Each row is appended to ``output/rows.jsonl`` before it is yielded, and its first sample, mean and
    uncertainty are kept under ``output/runs``. A rerun yields the rows of the same settings from there, so
    an interruption loses only the row in flight.

    Parameters
    ----------
    cases : sequence of Case
        Of `load_cases`.
    say : callable
        Is told what goes on, one line at a time.

    Raises
    ------
    Vol2VolError
        Before the first row, if a system has no bundle for the suite or would draw other noise than the
        others; later as `translate`.
    """
    trials = [trial for case in cases for trial in trials_of(suite, case)]
    ledger = Ledger(output / ROWS)
    for trial in trials:
        digest = trial.digest()
        row = ledger.get(digest)
        if row is not None and folder_of(output, row).is_dir():
            say(f"{row.volume} {row.system} seed {row.seed}: kept from {ledger.path.name}")
        else:
            row = _run(trial, digest, output, say)
            ledger.append(row)
        yield row


class _Clock:
    """Times sampling from the events: not reading weights, not writing files."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.steps = self._begin = 0.0

    def __call__(self, event: Event) -> None:
        now = time.monotonic()
        if isinstance(event, Started):
            self.steps, self._begin = event.steps, now
        elif isinstance(event, SampleDone):
            self._begin = now
        elif isinstance(event, Progress) and event.step == self.steps:
            self.seconds += now - self._begin
            self._begin = now


def _run(trial: Trial, digest: str, output: Path, say: Say) -> Row:
    """Run a trial in a folder that gets its name when all is done."""
    case, label, seed = trial.case, trial.label, trial.request.seed
    final = run_folder(output, volume=case.name, system=label, seed=seed, digest=digest)
    partial = final.with_name(f"{final.name}.partial")
    for left in (partial, final):
        shutil.rmtree(left, ignore_errors=True)
    device = torch.device(trial.job.plan.device)
    own = reset_peak(device)
    clock = _Clock()
    notices: list[str] = []
    paths: list[Path] = []
    for event in translate(trial.request, case.source, conditions=case.conditions, folder=partial):
        clock(event)
        if isinstance(event, Notice):
            notices.append(event.message)
            say(f"note: {case.name} {label}: {event.message}")
        elif isinstance(event, SampleDone) and event.path:
            paths.append(event.path)
        elif isinstance(event, Done):
            done = event
    peak = peak_gib(device)
    std = done.volumes.get("uncertainty")
    mean = case.scaled(done.volumes["mean"])
    samples = [case.scaled(read_volume(path)) for path in paths]
    spread = case.scaled(std, difference=True) if std else None
    figures: dict[str, Any] = dict(figures_of(case.reference, samples, mean, spread))
    if trial.request.task == TRANSLATION:
        figures |= faithfulness_of(case.reference, case.source, samples)
    if case.phases:
        figures |= errors_in_hounsfield(mean, case.reference, case.unit, case.regions)
    _keep_what_is_needed(paths)
    partial.rename(final)
    card, count = trial.job.card, len(paths)
    steps = run_length(trial.request)[0]
    return Row(
        digest=digest, volume=case.name, system=label, seed=seed, samples=count, steps=steps,
        bundle=None if card is None else card.name, device=str(done.record["device"]),
        precision=str(done.record["precision"]), data_residual=done.metrics.get("data_residual"),
        seconds=clock.seconds / count, seconds_per_step=clock.seconds / count / steps,
        peak_gib=peak, peak_is_own=own, notices=tuple(notices), **figures,
    )  # fmt: skip


def _keep_what_is_needed(paths: Sequence[Path]) -> None:
    """Delete the samples after the first, and their records: the figures and tables read no more."""
    for path in paths[1:]:
        path.unlink()
        path.with_name(path.name.replace(".nii.gz", ".json")).unlink(missing_ok=True)


def folder_of(output: Path, row: Row) -> Path:
    """Return the `run_folder` of a row."""
    return run_folder(output, volume=row.volume, system=row.system, seed=row.seed, digest=row.digest)


def run_folder(output: Path, *, volume: str, system: str, seed: int, digest: str) -> Path:
    """Return where the volumes of a row lie: ``sample-01``, ``mean`` and, if any, ``uncertainty``."""
    return output / "runs" / volume / f"{system}-seed{seed}-{digest[:12]}"


__all__ = ["ROWS", "compare", "folder_of", "run_folder"]
