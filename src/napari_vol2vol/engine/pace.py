"""How far a run is, and how long it will take still."""

from __future__ import annotations

import time


class Pace:
    """Counts steps, and inside a step the ticks, of which the last step had as many as the next will have.

    ``total`` is the number of steps of the whole run.
    """

    def __init__(self, total: int) -> None:
        self.total, self.done = total, 0
        self._ticks = 0
        self._ticks_per_step: int | None = None
        self._began = time.monotonic()

    def start(self) -> None:
        """Begin to count time."""
        self._began = time.monotonic()

    def tick(self) -> None:
        """Count one piece of a step."""
        self._ticks += 1

    def step_done(self) -> None:
        """Count one step."""
        self._ticks_per_step, self._ticks = max(1, self._ticks), 0
        self.done += 1

    def start_sample_again(self, steps: int) -> None:
        """Forget the steps of a sample that is not to be finished."""
        self.done, self._ticks = self.done - steps, 0

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._began

    def fraction(self) -> tuple[float, float | None]:
        """Return the share of the run that is done, and the seconds left (None before the first step)."""
        inside = min(1.0, self._ticks / self._ticks_per_step) if self._ticks_per_step else 0.0
        fraction = min(1.0, (self.done + inside) / self.total)
        if not self._ticks_per_step or fraction == 0:
            return fraction, None
        return fraction, self.seconds / fraction * (1 - fraction)
