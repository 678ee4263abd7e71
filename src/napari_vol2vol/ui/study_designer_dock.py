"""The *Study designer* dock: a reader study from its volumes to the frozen folder that readers get."""

from __future__ import annotations

import subprocess
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSize, QTimer
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QSpinBox,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from napari_vol2vol.study.design import Study
from napari_vol2vol.study.folder import StudyFolder
from napari_vol2vol.ui.designer.blocks_tab import BlocksTab
from napari_vol2vol.ui.designer.cases_tab import CasesTab
from napari_vol2vol.ui.designer.check_tab import OF_COPIES, OF_FILES, CheckTab
from napari_vol2vol.ui.designer.draft import blank
from napari_vol2vol.ui.designer.jobs import (
    checked,
    design_frozen,
    freeze_study,
    paper_study,
    with_demo_volumes,
)
from napari_vol2vol.ui.designer.plan_tab import PlanTab
from napari_vol2vol.ui.designer.questions_tab import QuestionsTab
from napari_vol2vol.ui.designer.rules_tab import RulesTab
from napari_vol2vol.ui.designer.tab import Tab
from napari_vol2vol.ui.reading.start import command
from napari_vol2vol.ui.row import Row, note
from napari_vol2vol.ui.settings import convention, drag_up
from napari_vol2vol.ui.study_work import Failure, Work, attempt
from napari_vol2vol.ui.window_layout import DockWatch

if TYPE_CHECKING:
    import napari

WIDTH = 480
WATCH_MS = 300


class StudyDesignerDock(QWidget):
    """Folder, volumes, preset, then tabs for everything else; check, freeze, read."""

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self.folder: StudyFolder | None = None
        self.study = blank("study")
        self.work = Work()
        self.path = QLineEdit()
        self.path.setPlaceholderText("folder of the study")
        self.path.setReadOnly(True)
        self.choose, self.demo = QPushButton("New or open …"), QPushButton("Demo volumes")
        self.demo.setToolTip("Procedural torsos; the generated arm is the real one smoothed, no translation")
        self.pairs, self.singles = QSpinBox(), QSpinBox()
        for spin, words in ((self.pairs, " pairs"), (self.singles, " singles")):
            spin.setRange(0, 1000)
            spin.setValue(20)
            spin.setSuffix(words)
        self.paper = QPushButton("Paper's two experiments")
        self.paper.setToolTip("Medical flow matching, 4.2: which of a pair is generated; real or generated?")
        self.save, self.freeze, self.read = QPushButton("Save"), QPushButton("Freeze"), QPushButton("Read …")
        self.freeze.setToolTip("Make blinded copies, key and plan; possible until the first answer")
        self.read.setToolTip("Open the reading window in a process of its own")
        self.reader, self.status, self.state = QComboBox(), note(), QLabel()
        self.cases = CasesTab(self.study, napari_viewer)
        self.check = CheckTab(self.study)
        self.tabs: dict[str, Tab] = {
            "Cases": self.cases, "Questions": QuestionsTab(self.study), "Blocks": BlocksTab(self.study),
            "Rules": RulesTab(self.study), "Check": self.check, "Plan": PlanTab(self.study),
        }  # fmt: skip
        self.process: subprocess.Popen[bytes] | None = None
        self._watcher = QTimer(self)
        self._watcher.setInterval(WATCH_MS)
        self._watcher.timeout.connect(self._on_tick)
        self._lay_out()
        self._connect()
        self._watch = DockWatch(self, self._on_docked, self.close_dock)
        self._show()

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return the width in which nothing is cut off."""
        return QSize(WIDTH, 820)

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.addWidget(Row("Study", self.path, self.choose, number="1", tip="A folder of its own"))
        tip = "Enter volumes in the tab Cases, or make some to try it out"
        layout.addWidget(Row("Volumes", self.demo, number="2", tip=tip))
        layout.addWidget(Row("Trials", self.pairs, self.singles, number="3", tip="Of each system"))
        layout.addWidget(Row("Set up", self.paper, number="4", tip=self.paper.toolTip()))
        tabs = QTabWidget()
        tabs.setUsesScrollButtons(True)
        for name, tab in self.tabs.items():
            area = QScrollArea()
            area.setWidgetResizable(True)
            area.setWidget(tab)
            tabs.addTab(area, name)
        self.tab_widget = tabs
        layout.addWidget(tabs, stretch=1)
        self.state.setWordWrap(True)
        layout.addWidget(self.state)
        layout.addWidget(self.status)
        line = QHBoxLayout()
        for widget in (self.save, self.freeze, self.reader, self.read):
            line.addWidget(widget)
        layout.addLayout(line)

    def _connect(self) -> None:
        self.choose.clicked.connect(self._choose_folder)
        self.demo.clicked.connect(self.add_demo)
        self.paper.clicked.connect(self.set_up_paper)
        self.save.clicked.connect(self.save_study)
        self.freeze.clicked.connect(self.freeze_study)
        self.read.clicked.connect(self.open_reading)
        self.work.said.connect(self.status.setText)
        self.work.busy.connect(self._show)
        self.check.check_asked.connect(self.check_study)
        for tab in self.tabs.values():
            tab.edited.connect(self.take)
            tab.refused.connect(self.status.setText)

    def close_dock(self) -> None:
        """Stop following the viewer; can be called twice. A reading window that is open stays."""
        if not self.work.closed:
            self._watcher.stop()
            self.work.close()
            self.cases.layer.close_choice()

    # ------------------------------------------------------------------ actions

    def open_folder(self, folder: Path) -> None:
        """Open the study of a folder, or begin a blank one there."""
        opened = StudyFolder(folder)
        study = attempt(opened.study) if opened.design.exists() else blank(folder.name)
        if isinstance(study, Failure):
            self.status.setText(study.words)
            return
        self.folder = opened
        self.cases.folder = folder.resolve()
        self.path.setText(str(folder))
        self.check.show_leaks((), OF_FILES)
        self.check.problems.clear()
        self.take(study)

    def take(self, study: Study) -> None:
        """Go on with a changed study."""
        self.study = study
        self.status.clear()
        for tab in self.tabs.values():
            tab.show_study(study)
        self._show()

    def add_demo(self) -> None:
        """Make procedural volumes, enough for the experiments, and enter them."""
        count = self.pairs.value() + self.singles.value() + 2
        folder, study = self._folder(), self.study
        if folder is not None:
            make = partial(with_demo_volumes, study, folder.path, count)
            self.work.start("making volumes …", make, self.take)

    def set_up_paper(self) -> None:
        """Set up the paper's two experiments over the cases that are entered."""
        folder = self._folder()
        if folder is not None:
            sizes = self.pairs.value(), self.singles.value()
            self.work.start("…", partial(paper_study, self.study, folder.path, *sizes), self.take)

    def save_study(self) -> bool:
        """Write the study file; refused after the first answer."""
        folder = self._folder()
        saved = Failure("") if folder is None else attempt(partial(folder.save, self.study))
        if isinstance(saved, Failure):
            self.status.setText(saved.words or self.status.text())
            return False
        self.status.setText(f"saved {folder.design}")
        self._show()
        return True

    def check_study(self) -> None:
        """Tell everything that is wrong, and audit the volumes."""
        folder = self._folder()
        if folder is not None:
            self.work.start("checking …", partial(checked, self.study, folder.path), self._on_checked)

    def freeze_study(self) -> None:
        """Save, then make blinded copies, key and plan."""
        folder = self._folder()
        if folder is not None and self.save_study():
            options = {
                "accept_leaks": self.check.accept.isChecked(),
                "harmonise": self.check.alike.isChecked(),
            }
            self.work.start("freezing …", partial(freeze_study, folder, options), self._on_frozen)

    def open_reading(self) -> None:
        """Open the reading window for the chosen reader, in a process that knows the reading folder only."""
        folder = self._folder()
        if folder is not None:
            self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (open as long as the window)
            line = command(folder.reading, self.reader.currentText(), convention(), drag_up())
            self.process = subprocess.Popen(line, stderr=self._errors)
            self.status.setText(f"reading window open for {self.reader.currentText()}")
            self._watcher.start()
            self._show()

    # ------------------------------------------------------------------ reactions

    def _on_tick(self) -> None:
        """Tell when the reading window is closed, and why it did not open."""
        code = self.process.poll() if self.process is not None else 0
        if code is None:
            return
        self._watcher.stop()
        self._errors.seek(0)
        words = self._errors.read().decode(errors="replace").strip()
        self._errors.close()
        self.process = None
        self.status.setText(f"reading window: {words[-500:] or code}" if code else "reading window closed")
        self._show()

    def _choose_folder(self) -> None:
        if text := QFileDialog.getExistingDirectory(self, "Folder of the study (new or existing)"):
            self.open_folder(Path(text))

    def _folder(self) -> StudyFolder | None:
        if self.folder is None:
            self.status.setText("study: found no folder, accepted is one chosen in the first line")
        return self.folder

    def _on_checked(self, found: tuple[list[str], list[Any]]) -> None:
        problems, findings = found
        self.check.show_problems(problems)
        self.check.show_leaks(findings, OF_FILES)
        self.tab_widget.setCurrentIndex(list(self.tabs).index("Check"))
        self.status.setText(
            "freezing makes volumes alike and audits the copies again" if not problems else ""
        )

    def _on_frozen(self, found: tuple[Study, list[Any], str]) -> None:
        study, findings, words = found
        self.take(study)
        self.check.show_problems(())
        self.check.show_leaks(findings, OF_COPIES)
        self.tab_widget.setCurrentIndex(list(self.tabs).index("Check"))
        self.status.setText(words)

    def _show(self, *unused: object) -> None:
        """Show what is possible now."""
        design = attempt(partial(design_frozen, self.folder))
        frozen = design is not None and not isinstance(design, Failure)
        changed = frozen and design != self.study.sha256
        answers = attempt(self.folder.answers) if frozen and self.folder is not None else 0
        idle = not self.work.running
        kept = self.reader.currentText()
        self.reader.clear()
        self.reader.addItems([reader.name for reader in self.study.readers])
        self.reader.setCurrentText(kept)
        for button in (self.choose, self.demo, self.paper, self.save, self.freeze):
            button.setEnabled(idle and (button is self.choose or answers == 0))
        for tab in self.tabs.values():
            tab.setEnabled(idle)
        self.read.setEnabled(idle and frozen and not changed and self.process is None)
        blocks = ", ".join(f"{block.name} {len(block.items)}" for block in self.study.blocks) or "no blocks"
        told = "changed since it was frozen" if changed else "frozen" if frozen else "not frozen"
        if answers:
            told = (
                answers.words
                if isinstance(answers, Failure)
                else f"{told}, {answers} answers: design is fixed"
            )
        self.state.setText(f"{len(self.study.cases)} cases; {blocks}; {told}")

    def _on_docked(self) -> None:
        self.work.make_room(self, WIDTH)
