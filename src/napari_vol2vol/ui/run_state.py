"""The states of a run and what is possible in each, without Qt."""

from __future__ import annotations

from enum import StrEnum


class RunState(StrEnum):
    """What a run is doing."""

    IDLE = "idle"
    PREPARING = "preparing"
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"


#: Actions that are possible in each state.
POSSIBLE: dict[RunState, frozenset[str]] = {
    RunState.IDLE: frozenset({"run"}),
    RunState.PREPARING: frozenset({"cancel"}),
    RunState.RUNNING: frozenset({"pause", "cancel"}),
    RunState.PAUSED: frozenset({"resume", "cancel"}),
    RunState.DONE: frozenset({"run"}),
    RunState.CANCELLED: frozenset({"run"}),
    RunState.FAILED: frozenset({"run"}),
}
ACTIVE = frozenset({RunState.PREPARING, RunState.RUNNING, RunState.PAUSED})


def clock(seconds: float) -> str:
    """Return ``"00:41"``, or ``"1:02:03"`` from an hour on."""
    whole = max(round(seconds), 0)
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60:02d}:{rest % 60:02d}"


def progress_text(step: int, steps: int, sample: int, samples: int, seconds_left: float | None) -> str:
    """Return ``"step 12/20 · sample 2/5 · 00:41 left"``."""
    parts = [f"step {step}/{steps}", f"sample {sample}/{samples}"]
    if seconds_left is not None:
        parts.append(f"{clock(seconds_left)} left")
    return " · ".join(parts)


def estimate_text(memory_bytes: int, seconds: float | None, device: str) -> str:
    """Return ``"needs 1.2 GB · ~1 min · cpu"``; before the first timed run it says so instead of a time."""
    gigabytes = memory_bytes / 1e9
    memory = f"{gigabytes:.1f} GB" if gigabytes >= 1 else f"{max(memory_bytes / 1e6, 1):.0f} MB"
    if seconds is None:
        time = "time known after the first run"
    elif seconds < 50:
        time = f"~{max(round(seconds), 1)} s"
    else:
        time = f"~{max(round(seconds / 60), 1)} min"
    return f"needs {memory} · {time} · {device}"
