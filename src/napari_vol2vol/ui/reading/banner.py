"""Errors of the session, shown plainly over everything else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel

from napari_vol2vol.errors import Vol2VolError
from napari_vol2vol.study.session import ReadingSession
from napari_vol2vol.ui.reading.words import blinded

STYLE = "background: #7a1f2b; color: white; font-size: 15px; padding: 8px;"


class Banner(QLabel):
    """Calls the session and shows what went wrong, until something was written again."""

    def __init__(self, session: ReadingSession) -> None:
        super().__init__()
        self._session = session
        self.setStyleSheet(STYLE)
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.hide()

    def do(self, call: Callable[[], object]) -> bool:
        """Return whether a call went well; show its error instead of raising it."""
        try:
            call()
        except (Vol2VolError, OSError) as error:
            self.tell(error)
            return False
        self.hide()
        return True

    def ask(self, call: Callable[[], Any]) -> Any:
        """Return what a call returns, None after an error."""
        found: list[Any] = []
        return found[0] if self.do(lambda: found.append(call())) else None

    def tell(self, error: BaseException) -> None:
        """Show an error."""
        words = blinded(str(error) or type(error).__name__, self._session).rstrip(".")
        self.setText(f"Not saved: {words}. What was answered before is kept.")
        self.show()
