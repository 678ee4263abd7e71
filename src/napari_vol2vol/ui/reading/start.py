"""Start the reading window as a program of its own; neither napari nor the rest of a study is opened."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from napari_vol2vol.anatomical_planes import CONVENTIONS
from napari_vol2vol.errors import Vol2VolError
from napari_vol2vol.study.session import ReadingSession
from napari_vol2vol.ui.reading.view_state import DRAG_UP

MODULE = "napari_vol2vol.ui.reading"


def command(
    reading: Path, reader: str, convention: str = CONVENTIONS[0], drag_up: str = DRAG_UP[0]
) -> list[str]:
    """Return the command line that opens the reading window in a process of its own."""
    settings = ["--convention", convention, "--drag-up", drag_up]
    return [sys.executable, "-m", MODULE, str(reading), "--reader", reader, *settings]


def main(arguments: Sequence[str] | None = None) -> int:
    """Open the window full screen and read until it is closed; return the exit code."""
    parser = argparse.ArgumentParser(prog=MODULE, description="Read a frozen study.")
    parser.add_argument("reading", type=Path)
    parser.add_argument("--reader", required=True)
    parser.add_argument("--convention", choices=CONVENTIONS, default=CONVENTIONS[0])
    parser.add_argument("--drag-up", choices=DRAG_UP, default=DRAG_UP[0])
    given = parser.parse_args(arguments)
    try:
        from qtpy.QtWidgets import QApplication
    except ImportError as error:
        return _refuse(f"Qt: found none ({error}), accepted is pip install 'napari-vol2vol[qt]'")
    from napari_vol2vol.ui.reading.window import ReadingWindow

    application = QApplication.instance() or QApplication(sys.argv[:1])
    try:
        session = ReadingSession(given.reading, given.reader)
    except Vol2VolError as error:
        return _refuse(str(error))
    window = ReadingWindow(session, given.convention, given.drag_up)

    def told(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        sys.__excepthook__(kind, error, trace)
        window.banner.tell(error)

    sys.excepthook = told  # without it Qt ends the process at an error in a slot
    window.showFullScreen()
    return int(application.exec())


def _refuse(words: str) -> int:
    sys.stderr.write(f"vol2vol: {words}\n")
    return 1
