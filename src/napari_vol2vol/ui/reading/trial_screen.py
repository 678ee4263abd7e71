"""One trial on the screen: volumes, question, answer, and the way to the next one."""

from __future__ import annotations

import time
from functools import partial

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_vol2vol.anatomical_planes import Convention
from napari_vol2vol.errors import Vol2VolError
from napari_vol2vol.study.questions import Mark
from napari_vol2vol.study.reading_set import Trial
from napari_vol2vol.study.session import ReadingSession
from napari_vol2vol.ui.reading.answer_panel import AnswerPanel
from napari_vol2vol.ui.reading.banner import Banner
from napari_vol2vol.ui.reading.case_views import CaseViews
from napari_vol2vol.ui.reading.loader import LoadedCase, Loader
from napari_vol2vol.ui.reading.top_bar import TopBar
from napari_vol2vol.ui.reading.view_state import Limits, ViewState
from napari_vol2vol.ui.reading.words import KEYS, LOCKED_KEYS


class TrialScreen(QWidget):
    """Draws the present trial. ``block_ended`` comes after a block, ``failed`` if a case cannot be shown."""

    block_ended = Signal()
    failed = Signal(object)

    def __init__(self, session: ReadingSession, banner: Banner, convention: Convention, drag_up: str) -> None:
        super().__init__()
        self.session, self.banner = session, banner
        self.convention, self.drag_up = convention, drag_up
        self.loader = Loader(session)
        self.loader.loaded.connect(self._try_show)
        self.views: CaseViews | None = None
        self.mark: Mark | None = None
        self._answered: Trial | None = None
        self._due: float | None = None
        self._lay_out()

    def _lay_out(self) -> None:
        policy = self.session.set.window
        self.bar, self.panel = TopBar(policy), AnswerPanel()
        self.bar.preset_chosen.connect(self.choose_window)
        self.panel.chosen.connect(self._on_chosen)
        self.panel.given.connect(self._on_given)
        self.panel.acknowledged.connect(self._advance)
        self.keys = QLabel(LOCKED_KEYS if policy.locked else KEYS)
        self.keys.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.keys.setStyleSheet("color: #6d747e; font-size: 11px; padding: 2px;")
        self.waiting = QLabel("reading the volumes …")
        self.waiting.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(6, 2, 6, 2)
        self.column.setSpacing(3)
        for widget, stretch in ((self.bar, 0), (self.waiting, 1), (self.panel, 0), (self.keys, 0)):
            self.column.addWidget(widget, stretch=stretch)

    # ------------------------------------------------------------------ from case to case

    def preload(self) -> None:
        """Have the present trial and the next one read."""
        self.loader.request(self.session.files(), self.session.upcoming(1))

    def show_trial(self) -> None:
        """Show the present trial as soon as its volumes are there."""
        self._due = time.perf_counter()
        self.drop_views()
        self.panel.setEnabled(False)
        self.waiting.show()
        self.preload()
        self._try_show()

    def drop_views(self) -> None:
        """Let go of the volumes on the screen."""
        if self.views is not None:
            self.column.removeWidget(self.views)
            self.views.hide()
            self.views.state.release()
            self.views.deleteLater()
            self.views = None

    def close_trial(self) -> None:
        """Let go of all volumes and end the loading thread."""
        self._due = None
        self.drop_views()
        self.loader.close()

    def _try_show(self) -> None:
        if self._due is None:
            return
        try:
            case = self.loader.take(self.session.files())
        except (Vol2VolError, OSError, MemoryError) as error:
            self._due = None
            self.failed.emit(error)
            return
        if case is not None:
            self._show_case(case, time.perf_counter() - self._due)

    def _show_case(self, case: LoadedCase, seconds: float) -> None:
        self._due = None
        self.waiting.hide()
        state = ViewState(case.volumes, case.limits, self.convention)
        views = CaseViews(state, locked=self.session.set.window.locked, drag_up=self.drag_up)
        views.changed.connect(self.note_slices)
        views.windowing.connect(self._show_window)
        views.windowed.connect(self._on_windowed)
        self.views = views
        self.column.insertWidget(1, views, stretch=1)
        views.show()  # the layout would do it one turn of the event loop later
        self._show_window()
        self.panel.setEnabled(True)
        self._ask_question()
        try:
            self.session.shown(round(seconds, 4))
        except Vol2VolError as error:
            self.failed.emit(error)
            return
        self.note_slices()

    def _ask_question(self) -> None:
        trial, question = self.session.trial, self.session.question
        assert trial is not None
        assert question is not None
        block = self.session.set.blocks.get(trial.block)
        self.bar.show_case(trial.code, block.title if block else "", self.session.progress)
        self.panel.ask(question, len(trial.volumes), self.banner.ask(lambda: self.session.choice))
        self._set_mark(None)
        self.window().setFocus()

    def _advance(self) -> None:
        now, before = self.session.trial, self._answered
        if now is None or before is None or now.block != before.block:
            self.drop_views()
            self.block_ended.emit()
        elif now is before:
            self._ask_question()
        else:
            self.show_trial()

    # ------------------------------------------------------------------ answers

    def _on_chosen(self, value: object) -> None:
        trial, question = self.session.trial, self.session.question
        if trial is None or question is None or self.banner.do(partial(self.session.choose, value)):
            return
        words = self.banner.text()
        self.panel.ask(question, len(trial.volumes), self.banner.ask(lambda: self.session.choice))
        self.banner.setText(words)
        self.banner.show()

    def _on_given(self, value: object, confidence: int | None) -> None:
        before = self.session.trial
        told: list[object] = []
        if not self.banner.do(lambda: told.append(self.session.answer(value, confidence, self.mark))):
            return
        self._answered = before
        self._set_mark(None)
        if told[0] is not None:
            self.panel.tell(told[0])
        else:
            self._advance()

    def toggle_mark(self) -> None:
        """Mark the crosshair in the active volume where the question asks for it; the same point unmarks."""
        question = self.session.question
        if self.views is None or self.panel.feedback or question is None or not question.mark:
            return
        z, y, x = self.views.state.point
        mark = Mark(self.views.active_position, (x, y, z))
        self._set_mark(None if mark == self.mark else mark)

    def _set_mark(self, mark: Mark | None) -> None:
        self.mark = mark
        if self.views is not None:
            self.views.set_mark(mark and mark.point_mm[::-1], mark.position if mark else 0)

    # ------------------------------------------------------------------ window and slices

    def choose_window(self, limits: Limits | None) -> None:
        """Show a preset, or the first window of the case."""
        if self.views is not None:
            self.views.set_limits(self.views.state.first_limits if limits is None else limits)

    def note_slices(self) -> None:
        """Note the slices that are on the screen for the answer; feedback belongs to no answer."""
        if self.views is not None and not self.panel.feedback and not self.isHidden():
            for position, plane, index in self.views.seen():
                self.session.visit(position, plane, index)

    def _show_window(self) -> None:
        if self.views is not None:
            self.bar.show_window(self.views.state.limits)

    def _on_windowed(self, width: float, level: float) -> None:
        if not self.panel.feedback:
            self.banner.do(partial(self.session.set_window, width, level))
