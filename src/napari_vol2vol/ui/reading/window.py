"""The reading window: pages, keys, pause and the end around the trials of a `ReadingSession`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from qtpy.QtCore import QEvent, Qt
from qtpy.QtGui import QCloseEvent, QKeyEvent
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QLineEdit,
    QPlainTextEdit,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from napari_vol2vol.anatomical_planes import Convention
from napari_vol2vol.study.session import ReadingSession
from napari_vol2vol.ui.reading.banner import Banner
from napari_vol2vol.ui.reading.keys import navigate
from napari_vol2vol.ui.reading.page import Page
from napari_vol2vol.ui.reading.scale_row import ENTER
from napari_vol2vol.ui.reading.trial_screen import TrialScreen
from napari_vol2vol.ui.reading.view_state import DRAG_UP
from napari_vol2vol.ui.reading.words import LEAVE, blinded, intro

TITLE = "Reading"
STYLE = """
QWidget { background: #14171b; color: #c9ced6; font-size: 13px; }
QPushButton { background: #2a3038; border: 1px solid #454d58; border-radius: 4px; padding: 6px 14px; }
QPushButton:hover { background: #343c46; }
QPushButton:checked { background: #2f6fb5; color: white; border-color: #6aa7e8; }
QPushButton:disabled { color: #666c75; background: #1d2126; border-color: #2b3038; }
QProgressBar { background: #2a3038; border: none; border-radius: 4px; }
QProgressBar::chunk { background: #2f6fb5; border-radius: 4px; }
QPlainTextEdit { background: #20252b; border: 1px solid #454d58; }
"""
TYPING = (QLineEdit, QPlainTextEdit, QAbstractSpinBox)
_GO_ON = (*ENTER, Qt.Key.Key_Space)
_NO_SHORTCUTS = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier


class ReadingWindow(QWidget):
    """One reader at work. Owns the session: closing the window closes it.

    ``convention`` and ``drag_up`` (`DRAG_UP`) are the reader's settings, not the study's.
    """

    def __init__(
        self, session: ReadingSession, convention: Convention = "radiological", drag_up: str = DRAG_UP[0]
    ) -> None:
        super().__init__()
        self.session = session
        self.setWindowTitle(TITLE)
        self.setStyleSheet(STYLE)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.resize(1500, 950)
        self.page: Page | None = None
        self._covered: Page | None = None
        self._asking = self._paused = self._leaving = self._closed = False
        self._focused: bool | None = None
        self.banner = Banner(session)
        self.trial = TrialScreen(session, self.banner, convention, drag_up)
        self.trial.block_ended.connect(self.begin)
        self.trial.failed.connect(self._on_failed)
        self.trial.bar.pause_clicked.connect(self.pause)
        self.stack = QStackedWidget()
        self.stack.addWidget(self.trial)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addWidget(self.banner)
        whole.addWidget(self.stack, stretch=1)
        self.begin()

    # ------------------------------------------------------------------ pages

    def begin(self) -> None:
        """Show the page before the present trial, or the end."""
        if self.session.finished:
            text = blinded(self.session.set.end_text, self.session)
            keys = (*_GO_ON, Qt.Key.Key_Escape)
            self._show_page(Page("Finished", text, [(keys, "Close  (Enter)", self.leave)]))
            return
        self.trial.preload()
        title, text = intro(self.session)
        warnings = self.banner.ask(self.session.warnings) or ()
        warning = "\n".join(blinded(words, self.session) for words in warnings)
        actions = [(_GO_ON, "Begin  (Enter)", self.show_trial), self._leave_action()]
        self._show_page(Page(title, text, actions, warning))

    def show_trial(self) -> None:
        """Show the present trial."""
        self._show_page(None)
        self.trial.show_trial()

    def pause(self) -> None:
        """Hide the volumes until the reader goes on."""
        if self.page is None and self.banner.do(self.session.pause):
            self._paused = True
            goes_on = ((*_GO_ON, Qt.Key.Key_P), "Go on  (Enter)", self.resume)
            self._show_page(Page("Paused", "The time stands still.", [goes_on, self._leave_action()]))

    def resume(self) -> None:
        """Go on after a pause."""
        if self.banner.do(self.session.resume):
            self._paused = False
            self._show_page(None)

    def _on_failed(self, error: BaseException) -> None:
        self.trial.drop_views()
        words = blinded(f"{error or type(error).__name__}", self.session)
        again = (_GO_ON, "Try again  (Enter)", self.show_trial)
        kept = "What was answered before is kept."
        self._show_page(Page("The case cannot be shown", f"{words}\n\n{kept}", [again, self._leave_action()]))

    def _show_page(self, page: Page | None) -> None:
        """Show a page, or the trial; the page before goes unless it is only covered."""
        before, self.page = self.page, page
        if before is not None and before not in (page, self._covered):
            self.stack.removeWidget(before)
            before.deleteLater()
        if page is not None and self.stack.indexOf(page) < 0:
            self.stack.addWidget(page)
        self.stack.setCurrentWidget(page or self.trial)
        self.setFocus()

    # ------------------------------------------------------------------ the end

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802
        """Ask before the end; what was answered is on disk already."""
        if self._closed or self._leaving or self.session.finished:
            self._finish()
            event.accept()
            return
        event.ignore()
        self._ask_to_leave()

    def _ask_to_leave(self) -> None:
        if self._asking:
            return
        if not self._paused:
            self.banner.do(self.session.pause)
        self._asking, self._covered = True, self.page
        stays = ((Qt.Key.Key_N, Qt.Key.Key_Escape), "No, go on  (N)", self._stay)
        leaves = ((Qt.Key.Key_Y,), "Yes, leave  (Y)", self.leave)
        self._show_page(Page("Leave?", LEAVE, [stays, leaves]))

    def _stay(self) -> None:
        if not self._paused and not self.banner.do(self.session.resume):
            return
        self._asking = False
        self._show_page(self._covered)
        self._covered = None

    def _leave_action(self) -> tuple[tuple[int, ...], str, Callable[[], object]]:
        return (Qt.Key.Key_Escape,), "Leave  (Esc)", self.close

    def leave(self) -> None:
        """Close without asking."""
        self._leaving = True
        self.close()

    def _finish(self) -> None:
        if not self._closed:
            self._closed = True
            self.trial.close_trial()
            self.banner.do(self.session.close)

    # ------------------------------------------------------------------ keys and focus

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Hand keys to page, question, then views; none is a shortcut while somebody writes."""
        if isinstance(self.focusWidget(), TYPING) or event.modifiers() & _NO_SHORTCUTS:
            return
        key, once = event.key(), not event.isAutoRepeat()
        if key == Qt.Key.Key_F11 and once:
            self.setWindowState(self.windowState() ^ Qt.WindowState.WindowFullScreen)
        elif self.page is not None:
            if once:
                self.page.key(key)
        elif not (once and self.trial.panel.isEnabled() and self.trial.panel.key(key)):
            navigate(self, key, bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier), once)

    def focusNextPrevChild(self, forward: bool) -> bool:  # noqa: N802
        """Leave Tab to the views."""
        return False

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        """Let the time stand still while another window is in front."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.ActivationChange and not self._closed:
            gained = self.isActiveWindow()
            if gained != self._focused:
                self._focused = gained
                self.banner.do(partial(self.session.focus, gained))
