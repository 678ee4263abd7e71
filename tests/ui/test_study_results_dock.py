from __future__ import annotations

import shutil

import pytest
from napari.components import ViewerModel
from qtpy.QtGui import QDesktopServices

from napari_vol2vol.study.folder import StudyFolder
from napari_vol2vol.ui.study_results_dock import HEAD, StudyResultsDock
from study.small_studies import frozen, read_all


@pytest.fixture
def dock(qtbot):
    widget = StudyResultsDock(ViewerModel())
    qtbot.addWidget(widget)
    yield widget
    idle(qtbot, widget)
    widget.close_dock()


def idle(qtbot, dock):
    qtbot.waitUntil(lambda: not dock.work.running, timeout=60000)


def rows(table):
    return [[table.item(r, c).text() for c in range(table.columnCount())] for r in range(table.rowCount())]


def right(session, truth):
    return truth, 5


def test_from_readings_of_two_copies_to_the_report(dock, qtbot, tmp_path, monkeypatch):
    study = frozen(tmp_path / "study")
    copy = StudyFolder(tmp_path / "copy")
    shutil.copytree(study.path, copy.path)
    read_all(study, "R1", right)
    read_all(copy, "R2", lambda session, truth: ("left" if truth in ("left", "right") else "yes", 3))
    dock.open_folder(study.path)
    idle(qtbot, dock)
    assert [row[:3] for row in rows(dock.readers)] == [["R1", "13", "13"], ["R2", "0", "13"]]
    assert not dock.analyse.isEnabled()
    dock.lock.click()
    idle(qtbot, dock)
    assert "R2 have not finished" in dock.status.text()
    dock.merge_copy(copy.path)
    qtbot.waitUntil(lambda: rows(dock.readers)[1][1] == "13", timeout=20000)
    idle(qtbot, dock)
    dock.lock.click()
    idle(qtbot, dock)
    assert "locked 26 answers" in dock.status.text()
    assert not dock.merge.isEnabled()
    dock.analyse.click()
    idle(qtbot, dock)
    found = {(row[0], row[1]): row for row in rows(dock.results)}
    assert found["pairs", "R1"][HEAD.index("right")] == "6/6"
    assert found["pairs", "R2"][HEAD.index("right")] == "3/6"
    assert found["singles", "R1"][HEAD.index("AUC")] == "1.000"
    assert found["pairs", "all, over cases"][HEAD.index("right")] == "0.750"
    assert "pairs: Right in 75%" in dock.verdicts.text()
    opened = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()))
    dock.report.click()
    assert opened == [str((study.results / "report.html").resolve())]


def test_results_that_are_there_are_shown_at_once(dock, qtbot, tmp_path):
    from napari_vol2vol.study.merge import lock
    from napari_vol2vol.study.report.write import write_report

    study = frozen(tmp_path / "study")
    for reader in ("R1", "R2"):
        read_all(study, reader, right)
    lock(study)
    write_report(study)
    dock.open_folder(study.path)
    idle(qtbot, dock)
    assert rows(dock.results)[0][:3] == ["pairs", "R1", "6/6"]
    assert dock.report.isEnabled()


def test_an_altered_log_is_told(dock, qtbot, tmp_path):
    import sqlite3

    study = frozen(tmp_path / "study")
    read_all(study, "R1", right)
    with sqlite3.connect(study.reading / "answers" / "R1.sqlite") as connection:
        connection.execute("DROP TRIGGER no_update_events")
        connection.execute("UPDATE events SET body = '{}' WHERE seq = 3")
    connection.close()
    dock.open_folder(study.path)
    idle(qtbot, dock)
    assert "event 3: found an altered or missing event" in dock.status.text()


def test_a_folder_without_a_frozen_study_is_told(dock, qtbot, tmp_path):
    dock.open_folder(tmp_path)
    idle(qtbot, dock)
    assert "accepted is the folder that `study freeze` made" in dock.status.text()
    assert not any(b.isEnabled() for b in (dock.merge, dock.lock, dock.analyse, dock.report))
