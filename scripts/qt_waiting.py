"""Let Qt work until something is reached, for the scripts that make pictures."""

import time
from collections.abc import Callable

from qtpy.QtWidgets import QApplication


def wait_until(reached: Callable[[], bool], seconds: float) -> bool:
    """Let Qt work until something is reached; return whether it was."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()
        if reached():
            return True
        time.sleep(0.01)
    return False
