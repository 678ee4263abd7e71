"""What a run's curves are made of, without Qt: residual and PSNR against the step, one line per sample."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from psygnal import Signal

#: No run keeps more points than this; beyond it the oldest samples are dropped.
MAX_POINTS = 20_000


@dataclass
class Line:
    """Points of one sample; ``y`` values are never None."""

    x: list[int] = field(default_factory=list)
    y: list[float] = field(default_factory=list)


class CurveBuffer:
    """Where the worker leaves points for the main thread. Safe between threads, capped at `MAX_POINTS`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._points: list[tuple[str, int, int, float]] = []

    def put(self, name: str, sample: int, step: int, value: float) -> None:
        """Add a point (worker thread)."""
        with self._lock:
            if len(self._points) >= MAX_POINTS:
                del self._points[: MAX_POINTS // 2]
            self._points.append((name, sample, step, value))

    def take(self) -> list[tuple[str, int, int, float]]:
        """Return the points that came since the last call, and forget them (any thread)."""
        with self._lock:
            points, self._points = self._points, []
        return points


class Curves:
    """The curves of the newest run of one viewer; ``changed`` is emitted on the main thread."""

    changed = Signal()

    def __init__(self) -> None:
        self.steps = 1
        self.lines: dict[str, dict[int, Line]] = {}

    def clear(self, steps: int) -> None:
        """Begin a run of ``steps`` steps."""
        self.steps = steps
        self.lines = {}
        self.changed.emit()

    def add(self, points: list[tuple[str, int, int, float]]) -> None:
        """Add points as `CurveBuffer.take` returns them; the oldest samples go when there are too many."""
        for name, sample, step, value in points:
            line = self.lines.setdefault(name, {}).setdefault(sample, Line())
            line.x.append(step)
            line.y.append(value)
        for samples in self.lines.values():
            while len(samples) > 1 and sum(len(line.x) for line in samples.values()) > MAX_POINTS:
                samples.pop(next(iter(samples)))
        if points:
            self.changed.emit()
