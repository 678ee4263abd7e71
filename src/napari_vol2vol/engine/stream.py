"""Turn plain blocking work into a generator of events, with back-pressure and prompt cancel.

The work runs in a thread of its own and hands each event over through a queue of one. So not pulling from the
generator pauses the work at its next tick, closing it cancels the work there, and no network call needs to
know.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator
from typing import Generic, TypeVar

T = TypeVar("T")
POLL_SECONDS = 0.02


class Cancelled(BaseException):
    """Raised inside the work when the stream was closed; not an `Exception`, so no handler swallows it."""


class Emitter(Generic[T]):
    """The work's end of the stream."""

    def __init__(self) -> None:
        self.queue: queue.Queue[T | None] = queue.Queue(maxsize=1)
        self.closed = threading.Event()

    def __call__(self, event: T) -> None:
        """Hand an event over and wait until there is room; raise `Cancelled` if the stream was closed."""
        while not self.closed.is_set():
            try:
                self.queue.put(event, timeout=POLL_SECONDS)
            except queue.Full:
                continue
            return
        raise Cancelled

    def check(self) -> None:
        """Raise `Cancelled` if the stream was closed."""
        if self.closed.is_set():
            raise Cancelled


def stream(work: Callable[[Emitter[T]], None]) -> Generator[T, None, None]:
    """Yield the events that ``work(emit)`` emits; its exceptions are raised here, in the consumer.

    Closing the generator makes the next ``emit`` or ``check`` of the work raise `Cancelled`, and waits for
    it.
    """
    emitter: Emitter[T] = Emitter()
    failure: list[BaseException] = []

    def body() -> None:
        try:
            work(emitter)
        except Cancelled:
            pass
        except BaseException as error:  # noqa: BLE001 (handed to the consumer)
            failure.append(error)
        finally:
            done.set()

    done = threading.Event()
    thread = threading.Thread(target=body, name="vol2vol-run", daemon=True)
    thread.start()
    try:
        while not (done.is_set() and emitter.queue.empty()):
            try:
                event = emitter.queue.get(timeout=POLL_SECONDS)
            except queue.Empty:
                continue
            if event is not None:
                yield event
    finally:
        emitter.closed.set()
        thread.join()
    if failure:
        raise failure[0]
