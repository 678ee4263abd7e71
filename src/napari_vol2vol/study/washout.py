"""Whether a reader comes back to the same cases too early."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from napari_vol2vol.study.reading_set import ReadingSet, Trial
from napari_vol2vol.study.store import Event


def washout_warning(
    study: ReadingSet,
    trials: Sequence[Trial],
    answers: Sequence[Event],
    block: str,
    now: datetime | None = None,
) -> str | None:
    """Return a sentence where ``block`` would be read before the washout of another is over, else None."""
    if not study.washout_days:
        return None
    linked = {b for pair in study.washout_blocks if block in pair for b in pair} - {block}
    block_of = {trial.id: trial.block for trial in trials}
    last = [e for e in answers if e.trial is not None and block_of.get(e.trial) in linked]
    if not last:
        return None
    gap = (now or datetime.now(UTC)) - datetime.fromisoformat(last[-1].at)
    return _words(gap, study.washout_days, str(block_of[str(last[-1].trial)]), block)


def washout_breaches(study: ReadingSet, trials: Sequence[Trial], answers: Sequence[Event]) -> list[str]:
    """Return a sentence for each block that was begun before the washout of another was over."""
    block_of = {trial.id: trial.block for trial in trials}
    found: list[str] = []
    begun: set[str] = set()
    for number, event in enumerate(answers):
        block = block_of.get(str(event.trial))
        if block is None or block in begun:
            continue
        begun.add(block)
        at = datetime.fromisoformat(event.at)
        warning = washout_warning(study, trials, answers[:number], block, at)
        found += [warning] if warning else []
    return found


def _words(gap: timedelta, days: float, before: str, block: str) -> str | None:
    found = gap / timedelta(days=1)
    if found >= days:
        return None
    return (
        f"block {block} shows cases of block {before}, which ended {found:.1f} days before; "
        f"the study plans {days:g} days between them"
    )
