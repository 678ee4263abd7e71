"""The *Lessons* dock: read a page, press *Do it*, look, go on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, QSize
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QPushButton,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.ui import settings
from napari_vol2vol.ui.lesson_runner import LessonRunner
from napari_vol2vol.ui.lessons import Lesson, lesson_files, own_lessons, read_lesson
from napari_vol2vol.ui.row import note
from napari_vol2vol.ui.session import session_of
from napari_vol2vol.ui.window_layout import DockWatch, arrange, main_window_of, set_role

if TYPE_CHECKING:
    import napari


class LessonsDock(QWidget):
    """Lessons of the package, of the user's folder, and of a folder that was opened.

    Parameters
    ----------
    open_dock : callable, optional
        Opens a dock by its name in the menu; by default in the viewer's window.
    """

    def __init__(
        self, napari_viewer: napari.viewer.Viewer, open_dock: Callable[[str], QWidget] | None = None
    ) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.lessons = QComboBox()
        self.lessons.setToolTip("Which lesson")
        self.lessons.setMinimumContentsLength(12)
        self.lessons.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.folder = QPushButton("Folder …")
        self.folder.setToolTip("Add the lessons of a folder of your own: Markdown files")
        self.page = QTextBrowser()
        self.page.setOpenExternalLinks(True)
        self.back, self.do, self.next = QPushButton("Back"), QPushButton("Do it"), QPushButton("Next")
        self.do.setToolTip("Set the docks as this page says")
        self.status = note()
        self.runner = LessonRunner(napari_viewer, self, open_dock)
        self.lesson: Lesson | None = None
        self.index = 0
        self.files: list[Path] = []
        self._folders = [own_lessons(), settings.lessons_folder()]
        self._closed = False
        self._lay_out()
        self._connect()
        set_role(self, "side")
        self._watch = DockWatch(self, self._on_docked, self.close_dock)
        session_of(napari_viewer).docks["Lessons"] = self
        self.refresh()

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return a size in which a page can be read."""
        return QSize(330, 520)

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        below, buttons = QHBoxLayout(), QHBoxLayout()
        below.addWidget(self.status, stretch=1)
        below.addWidget(self.folder)
        for button, key in ((self.back, "Alt+Left"), (self.do, "Ctrl+Return"), (self.next, "Alt+Right")):
            button.setShortcut(QKeySequence(key))
            buttons.addWidget(button)
        layout.addWidget(self.lessons)
        layout.addWidget(self.page, stretch=1)
        layout.addLayout(below)
        layout.addLayout(buttons)

    def _connect(self) -> None:
        self.lessons.currentIndexChanged.connect(self._on_lesson)
        self.folder.clicked.connect(self._on_folder)
        self.back.clicked.connect(lambda: self.show_step(self.index - 1))
        self.next.clicked.connect(lambda: self.show_step(self.index + 1))
        self.do.clicked.connect(self.do_step)
        self.runner.said.connect(self.status.setText)
        self.runner.finished.connect(lambda good: self._allow())

    def close_dock(self) -> None:
        """Stop following a run; can be called twice."""
        if not self._closed:
            self._closed = True
            self.runner.release()

    # ------------------------------------------------------------------ actions

    def refresh(self) -> None:
        """Look for lessons anew; those that cannot be read are offered and say why."""
        self.files = lesson_files(*self._folders)
        titles = []
        for path in self.files:
            try:
                lesson = read_lesson(path)
                titles.append(lesson.title + (f" ({lesson.minutes} min)" if lesson.minutes else ""))
            except SettingsError:
                titles.append(f"{path.name} – cannot be read")
        with QSignalBlocker(self.lessons):
            self.lessons.clear()
            self.lessons.addItems(titles)
        self._on_lesson(self.lessons.currentIndex())

    def add_folder(self, folder: Path) -> None:
        """Offer the lessons of another folder too, and show its first."""
        if not lesson_files(folder):
            self.status.setText(f"{folder.name}: found no lesson, accepted is a folder with Markdown files")
            return
        if folder not in self._folders:
            self._folders.append(folder)
        self.refresh()
        self.lessons.setCurrentIndex(self.files.index(lesson_files(folder)[0]))

    def show_step(self, index: int) -> None:
        """Show a page of the lesson."""
        if self.lesson is None or not 0 <= index < len(self.lesson.steps):
            return
        self.index = index
        step = self.lesson.steps[index]
        self.page.setMarkdown(f"### {step.title}\n\n{step.text}")
        self.status.setText(f"page {index + 1} of {len(self.lesson.steps)}")
        self._allow()

    def do_step(self) -> None:
        """Do what the page says."""
        self.do.setEnabled(False)
        self.runner.do(self.lesson.steps[self.index])
        self._allow()

    # ------------------------------------------------------------------ reactions

    def _allow(self) -> None:
        steps = self.lesson.steps if self.lesson is not None else ()
        self.back.setEnabled(self.index > 0)
        self.next.setEnabled(self.index + 1 < len(steps))
        self.do.setEnabled(bool(steps) and bool(steps[self.index].actions) and not self.runner.busy)

    def _on_lesson(self, index: int) -> None:
        self.lesson, self.index = None, 0
        if not 0 <= index < len(self.files):
            self.page.setMarkdown("No lesson was found.")
            self._allow()
            return
        try:
            self.lesson = read_lesson(self.files[index])
        except SettingsError as error:
            self.page.setMarkdown(str(error))
            self.status.setText("")
            self._allow()
            return
        self.show_step(0)

    def _on_folder(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "A folder with lessons")
        if chosen:
            self.add_folder(Path(chosen))

    def _on_docked(self) -> None:
        window = main_window_of(self)
        if window is not None and not self._closed:
            arrange(window)
