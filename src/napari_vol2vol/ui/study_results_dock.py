"""The *Study results* dock: merge, verify, lock, analyse, and the main table. Nothing is unblinded before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSize, QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_vol2vol.study.folder import StudyFolder
from napari_vol2vol.study.json_fields import read_json
from napari_vol2vol.study.reading_set import read_reading_set
from napari_vol2vol.study.report.html import number
from napari_vol2vol.ui.designer.tab import fill, table
from napari_vol2vol.ui.row import Row, note
from napari_vol2vol.ui.study_work import Failure, Say, Work, attempt
from napari_vol2vol.ui.window_layout import DockWatch

if TYPE_CHECKING:
    import napari

WIDTH = 560
HEAD = ("block", "reader", "right", "interval", "p", "AUC", "median s")
REPORT = "report.html"


class StudyResultsDock(QWidget):
    """The way from readings to the report, in the order in which it is gone."""

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self.folder: StudyFolder | None = None
        self.work = Work()
        self.path, self.choose = QLineEdit(), QPushButton("Open …")
        self.path.setPlaceholderText("folder of the study")
        self.path.setReadOnly(True)
        self.merge, self.verify = QPushButton("Merge …"), QPushButton("Verify")
        self.lock, self.analyse = QPushButton("Lock"), QPushButton("Analyse")
        self.report, self.incomplete = QPushButton("Open report"), QCheckBox("although not finished")
        self.merge.setToolTip("Bring in readings from another copy of the study")
        self.verify.setToolTip("Compute every hash of the readings anew")
        self.lock.setToolTip("End the reading, before anything is unblinded")
        self.analyse.setToolTip("Unblind the locked study; write report, results and exports")
        self.readers, self.results = table("reader", "answers", "of", "log"), table(*HEAD)
        self.verdicts, self.status = QLabel(), note()
        self.verdicts.setWordWrap(True)
        for view in (self.readers, self.results):
            view.verticalHeader().hide()
        self._lay_out()
        self._connect()
        self._watch = DockWatch(self, self._on_docked, self.close_dock)
        self._show()

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return the width in which nothing is cut off."""
        return QSize(WIDTH, 760)

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.addWidget(Row("Study", self.path, self.choose, number="1", tip="The folder with study.json"))
        for step, buttons in (("2", (self.merge, self.verify)), ("3", (self.lock, self.incomplete))):
            layout.addWidget(Row("Readings" if step == "2" else "Lock", *buttons, number=step))
        layout.addWidget(self.readers, stretch=1)
        layout.addWidget(Row("Results", self.analyse, self.report, number="4"))
        layout.addWidget(self.results, stretch=2)
        layout.addWidget(self.verdicts)
        layout.addWidget(self.status)

    def _connect(self) -> None:
        self.choose.clicked.connect(self._choose_folder)
        self.merge.clicked.connect(self._choose_copy)
        self.verify.clicked.connect(self.verify_readings)
        self.lock.clicked.connect(self.lock_study)
        self.analyse.clicked.connect(self.analyse_study)
        self.report.clicked.connect(self.open_report)
        self.work.said.connect(self.status.setText)
        self.work.busy.connect(self._show)

    def close_dock(self) -> None:
        """Forget what is running; can be called twice."""
        self.work.close()

    # ------------------------------------------------------------------ actions

    def open_folder(self, folder: Path) -> None:
        """Open a frozen study, and its results where there are some."""
        self.folder = StudyFolder(folder)
        self.path.setText(str(folder))
        self.status.clear()
        self.verdicts.clear()
        fill(self.results, ())
        fill(self.readers, ())
        found = self.folder.results / "results.json"
        if self.folder.lock.exists() and found.exists():
            results = attempt(partial(read_json, found, "results"))
            if not isinstance(results, Failure):
                self._on_results(results)
        self.verify_readings()

    def verify_readings(self) -> None:
        """Verify all logs and show how far readers are."""
        if self.folder is not None:
            self.work.start("verifying …", partial(_progress, self.folder), self._on_verified)

    def merge_copy(self, copy: Path) -> None:
        """Bring in the readings of another copy."""
        if self.folder is not None:
            self.work.start("merging …", partial(_merged, self.folder, copy), self._on_merged)

    def lock_study(self) -> None:
        """End the reading."""
        if self.folder is not None:
            options = {"incomplete": self.incomplete.isChecked()}
            self.work.start("locking …", partial(_locked, self.folder, options), self._on_locked)

    def analyse_study(self) -> None:
        """Unblind and write the report."""
        if self.folder is not None:
            self.work.start("analysing …", partial(_analysed, self.folder), self._on_results)

    def open_report(self) -> None:
        """Open the report in the browser."""
        if self.folder is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str((self.folder.results / REPORT).resolve())))

    # ------------------------------------------------------------------ reactions

    def _choose_folder(self) -> None:
        if text := QFileDialog.getExistingDirectory(self, "Folder of the study"):
            self.open_folder(Path(text))

    def _choose_copy(self) -> None:
        if text := QFileDialog.getExistingDirectory(self, "Copy of the study, or its folder of answers"):
            self.merge_copy(Path(text))

    def _on_verified(self, rows: Sequence[Sequence[str]]) -> None:
        fill(self.readers, rows)
        self.readers.resizeColumnsToContents()

    def _on_merged(self, words: str) -> None:
        self.verify_readings()
        self.status.setText(words)

    def _on_locked(self, words: str) -> None:
        self.status.setText(words)
        self._show()

    def _on_results(self, results: Mapping[str, Any]) -> None:
        fill(self.results, main_table(results))
        self.results.resizeColumnsToContents()
        self.verdicts.setText("\n\n".join(f"{c['block']}: {c['verdict']}" for c in results["contests"]))
        self._show()

    def _show(self, *unused: object) -> None:
        """Show what is possible now."""
        here = self.folder is not None and self.folder.reading.exists()
        locked = here and self.folder.lock.exists()
        idle = not self.work.running
        self.choose.setEnabled(idle)
        self.merge.setEnabled(idle and here and not locked)
        self.verify.setEnabled(idle and here)
        self.lock.setEnabled(idle and here and not locked)
        self.incomplete.setEnabled(idle and here and not locked)
        self.analyse.setEnabled(idle and locked)
        self.report.setEnabled(idle and here and (self.folder.results / REPORT).exists())

    def _on_docked(self) -> None:
        self.work.make_room(self, WIDTH)


def main_table(results: Mapping[str, Any]) -> list[list[str]]:
    """Return the rows of `HEAD`: every reader of every contest, then all readers by cases."""
    rows = []
    for contest in results["contests"]:
        for reader, own in contest["readers"].items():
            right, area = own.get("correct"), own["auc"] or {}
            cells = (
                [f"{right['k']}/{right['n']}", _interval(right), number(right["p"])] if right else ["–"] * 3
            )
            area_text, seconds = number(area.get("value")), number(own["times"]["median"])
            rows.append([contest["block"], reader, *cells, area_text, seconds])
        if pooled := (contest["pooled"].get("correct") or {}).get("cases"):
            cells = [f"{pooled['value']:.3f}", _interval(pooled), number(pooled["p"])]
            area = contest["pooled"]["auc"] or {}
            rows.append([contest["block"], "all, over cases", *cells, number(area.get("value")), ""])
    return rows


def _interval(found: Mapping[str, Any]) -> str:
    if found.get("low") is None:
        return "–"
    return f"{found['low']:.3f} to {found['high']:.3f}"


def _progress(folder: StudyFolder, say: Say) -> list[list[str]]:
    from napari_vol2vol.study.merge import verify

    study = read_reading_set(folder.reading)
    found = {verified.reader: verified for verified in verify(folder.reading)}
    rows = []
    for reader in study.readers:
        expected = sum(len(trial.questions) for trial in study.trials(reader))
        own = found.get(reader)
        log = f"{own.events} events, verified, head {own.head[:12]}" if own else "not begun"
        rows.append([reader, str(own.answers if own else 0), str(expected), log])
    return rows


def _merged(folder: StudyFolder, copy: Path, say: Say) -> str:
    from napari_vol2vol.study.merge import merge

    return "; ".join(f"{m.reader}: {m.answers} answers, {m.new} of them new" for m in merge(folder, [copy]))


def _locked(folder: StudyFolder, options: Mapping[str, bool], say: Say) -> str:
    from napari_vol2vol.study.merge import lock

    body = lock(folder, **options)
    warnings = [f"{r}: {words}" for r, found in body["washout"].items() for words in found]
    answers = sum(reader["answers"] for reader in body["readers"].values())
    return "\n".join([f"locked {answers} answers", *warnings])


def _analysed(folder: StudyFolder, say: Say) -> dict[str, Any]:
    from napari_vol2vol.study.report.write import write_report

    return write_report(folder)
