"""Volumes read ahead in one thread: the case that is on and the next one, never more."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from qtpy.QtCore import QObject, Signal

from napari_vol2vol.study.session import ReadingSession
from napari_vol2vol.volume import Volume

Files = tuple[Path, ...]


@dataclass(frozen=True)
class LoadedCase:
    """The volumes of one trial in screen order, and the values shown black and white at first."""

    volumes: tuple[Volume, ...]
    limits: tuple[float, float]
    seconds: float


class Loader(QObject):
    """Reads cases in one worker thread; ``loaded`` comes on the main thread when one is there or failed."""

    loaded = Signal()

    def __init__(self, session: ReadingSession) -> None:
        super().__init__()
        self._session = session
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="reading")
        self._cases: dict[Files, Future[LoadedCase]] = {}

    def request(self, *wanted: Sequence[Path]) -> None:
        """Read these cases, the first one first, and forget all others."""
        keys = [tuple(files) for files in wanted if files]
        for key in [key for key in self._cases if key not in keys]:
            self._cases.pop(key).cancel()
        for key in keys:
            if key not in self._cases:
                future = self._pool.submit(self._load, key)
                self._cases[key] = future
                future.add_done_callback(self._tell)

    def take(self, files: Sequence[Path]) -> LoadedCase | None:
        """Return a case, or None while it is being read.

        Raises
        ------
        Vol2VolError, OSError, MemoryError
            What went wrong while reading it; it is read anew when it is requested again.
        """
        key = tuple(files)
        future = self._cases.get(key)
        if future is None or not future.done():
            return None
        if future.exception() is not None:
            del self._cases[key]
        return future.result()

    def held(self) -> int:
        """Return how many cases are kept or being read."""
        return len(self._cases)

    def close(self) -> None:
        """End the thread."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._cases.clear()

    def _load(self, files: Files) -> LoadedCase:
        start = time.perf_counter()
        volumes = tuple(self._session.load(path) for path in files)
        limits = self._session.window_limits(volumes)
        return LoadedCase(volumes, limits, time.perf_counter() - start)

    def _tell(self, future: Future[LoadedCase]) -> None:
        if not future.cancelled():
            self.loaded.emit()
