"""A stopwatch that stands still while the reader looks elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable


class Stopwatch:
    """Seconds since `start`, without the time in which any hold (focus lost, pause) is on.

    Holds have names, so that losing the focus during a pause, and gaining it again, does not end the pause.
    Holds outlive `start`: a trial that is shown while the window is in the background does not run.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._holds: set[str] = set()
        self._seconds = 0.0
        self._since: float | None = None
        self._running = False

    @property
    def seconds(self) -> float:
        """Time counted so far."""
        going = 0.0 if self._since is None else self._clock() - self._since
        return self._seconds + going

    @property
    def held(self) -> bool:
        """Whether the time stands still."""
        return bool(self._holds)

    def start(self) -> None:
        """Count from zero."""
        self._seconds, self._running = 0.0, True
        self._since = None if self._holds else self._clock()

    def hold(self, reason: str) -> None:
        """Stand still until `release` of the same reason."""
        if self._since is not None:
            self._seconds += self._clock() - self._since
            self._since = None
        self._holds.add(reason)

    def release(self, reason: str) -> None:
        """End one hold; the time goes on when there is no other."""
        self._holds.discard(reason)
        if self._running and not self._holds and self._since is None:
            self._since = self._clock()
