from __future__ import annotations

import json
import sys
from dataclasses import replace

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_vol2vol.study.folder import StudyFolder
from napari_vol2vol.study.session import ReadingSession
from napari_vol2vol.ui import study_designer_dock
from napari_vol2vol.ui.designer.check_tab import RED
from napari_vol2vol.ui.study_designer_dock import StudyDesignerDock
from study.small_studies import paper_study, sphere


@pytest.fixture
def dock(qtbot):
    widget = StudyDesignerDock(ViewerModel())
    qtbot.addWidget(widget)
    widget.show()
    yield widget
    qtbot.waitUntil(lambda: not widget.work.running, timeout=60000)
    widget.close_dock()


def idle(qtbot, dock):
    qtbot.waitUntil(lambda: not dock.work.running, timeout=60000)


def small(dock, folder, **more):
    """Open a folder with a small study of written volumes."""
    StudyFolder(folder).save(paper_study(folder, pairs=4, singles=2, **more))
    dock.open_folder(folder)


def test_the_papers_experiments_are_frozen_in_five_clicks(dock, qtbot, tmp_path):
    dock.open_folder(tmp_path / "study")
    dock.pairs.setValue(2)
    dock.singles.setValue(2)
    for button in (dock.demo, dock.paper, dock.freeze):
        assert button.isEnabled()
        button.click()
        idle(qtbot, dock)
    assert dock.status.text().startswith("frozen; trials: R1 6, R2 6")
    assert dock.study.window.preset == "abdomen"
    assert dock.read.isEnabled()
    with ReadingSession(tmp_path / "study" / "reading", "R2") as session:
        assert len(session.load(session.files()[0]).shape) == 3


def test_leaks_are_red_in_the_table_and_counted(dock, qtbot, tmp_path):
    small(dock, tmp_path)
    cases = []
    for case in dock.study.cases:
        file = case.volumes["generated"]
        path = tmp_path / file.path
        named = path.rename(path.with_name(f"synthetic-{path.name}"))
        moved = replace(file, path=str(named.relative_to(tmp_path)))
        cases.append(replace(case, volumes={**case.volumes, "generated": moved}))
    dock.take(replace(dock.study, cases=tuple(cases)))
    dock.tabs["Check"].check_asked.emit()
    idle(qtbot, dock)
    table = dock.check.leaks
    rows = {table.item(n, 0).text(): table.item(n, 0) for n in range(table.rowCount())}
    assert rows["file and layer names"].foreground().color() == RED
    assert rows["dtype"].foreground().color() != RED
    assert "synthetic" in rows["file and layer names"].toolTip()
    reds = sum(item.foreground().color() == RED for item in rows.values())
    assert dock.check.title.text() == f"Leaks in the files as they came: {reds} red"
    assert dock.check.problems.text() == "No problems."


def test_problems_are_listed_and_no_volume_is_read(dock, qtbot, tmp_path):
    small(dock, tmp_path)
    dock.take(replace(dock.study, alpha=0.7))
    dock.check_study()
    idle(qtbot, dock)
    assert "alpha: found 0.7" in dock.check.problems.text()
    assert dock.check.leaks.rowCount() == 0


def test_copies_that_leak_are_not_frozen_and_say_where(dock, qtbot, tmp_path, monkeypatch):
    from napari_vol2vol.study import freeze as room

    small(dock, tmp_path)
    real = room.audit_trials
    monkeypatch.setattr(
        room, "audit_trials", lambda *a: [replace(real(*a)[0], red=True, words="always left"), *real(*a)[1:]]
    )
    dock.freeze.click()
    idle(qtbot, dock)
    assert dock.status.text().startswith("not frozen: leaks:")
    assert not dock.read.isEnabled()
    assert dock.check.title.text() == "Leaks in the blinded copies: 1 red"


def test_arms_cases_questions_and_blocks_from_nothing(dock, qtbot, tmp_path):
    folder = tmp_path / "study"
    dock.open_folder(folder)
    cases, questions, blocks = dock.tabs["Cases"], dock.tabs["Questions"], dock.tabs["Blocks"]
    cases.arm_name.setText("flow")
    cases.add_arm()
    viewer_layers = dock.cases.layer._layers
    for n in range(4):
        for arm in ("real", "flow"):
            data, keywords, _ = sphere(10 * n + (arm == "flow")).to_layer()
            from napari.layers import Image

            layer = Image(data, **{**keywords, "name": f"{arm} {n}"})
            viewer_layers.append(layer)
            cases.layer.choose(layer)
            cases.arm.setCurrentText(arm)
            cases.case_name.setText(f"patient {n}")
            cases.add_layer()
    assert [case.name for case in dock.study.cases] == [f"patient-{n}" for n in range(4)]
    questions.name.setText("better")
    questions.kind.setCurrentText("ranking")
    questions.text.setText("Best first")
    questions.put()
    for field, text in (("name", "sets"), ("arms", "real, flow"), ("cases", "1-3"), ("training", ""),
                        ("questions", "better"), ("title", "sets")):  # fmt: skip
        getattr(blocks, field).setText(text)
    blocks.put()
    rules = dock.tabs["Rules"]
    rules.readers.setText("A, B")
    rules.margin.setValue(0.15)
    rules.analysis.setCurrentText("equivalence")
    rules.locked.setChecked(True)
    rules.washout.setValue(14)
    rules.take_over()
    dock.freeze.click()
    idle(qtbot, dock)
    study = StudyFolder(folder).study()
    assert dock.status.text().startswith("frozen; trials: A 3, B 3"), dock.status.text()
    assert (study.margin, study.analysis, study.washout_days) == (0.15, "equivalence", 14)
    assert study.window.locked
    assert json.loads((folder / "reading" / "reading.json").read_text())["window"]["locked"]
    assert (folder / "volumes" / "flow" / "patient-2.nii.gz").exists()


def test_the_rules_show_what_they_take_over(dock, tmp_path):
    small(dock, tmp_path)
    rules = dock.tabs["Rules"]
    changed = replace(
        dock.study, margin=0.1, seed=77, washout_days=3.5, counterbalance=False, end_text="Bye.",
        analysis="non-inferiority",
    )  # fmt: skip
    dock.take(changed)
    assert rules.changed_study() == changed
    assert not rules.low.isHidden()


def test_the_plan_speaks_of_the_studys_blocks_and_margin(dock, tmp_path):
    small(dock, tmp_path)
    dock.take(replace(dock.study, margin=0.1))
    dock.tab_widget.setCurrentIndex(list(dock.tabs).index("Plan"))
    text = dock.tabs["Plan"].words.text()
    assert "pairs: 4 trials: no number of right answers rejects 50 %" in text
    assert "to show equivalence within ±10 points with power 0.8: 214 trials" in text


def test_after_the_first_answer_nothing_can_be_changed(dock, qtbot, tmp_path):
    small(dock, tmp_path)
    dock.freeze_study()
    idle(qtbot, dock)
    with ReadingSession(tmp_path / "reading", "R1") as session:
        session.shown()
        session.answer("left", 3)
    dock.open_folder(tmp_path)
    assert "1 answers: design is fixed" in dock.state.text()
    assert not any(button.isEnabled() for button in (dock.demo, dock.paper, dock.save, dock.freeze))
    assert dock.read.isEnabled()
    dock.take(replace(dock.study, seed=9))
    assert not dock.save_study()
    assert "design is frozen" in dock.status.text()
    assert not dock.read.isEnabled()


def test_the_reading_window_is_opened_for_the_chosen_reader_in_another_process(
    dock, qtbot, tmp_path, monkeypatch
):
    small(dock, tmp_path)
    dock.freeze_study()
    idle(qtbot, dock)
    started = []

    def stand_in(reading, reader, convention, drag_up):
        started.append((reading, reader, convention, drag_up))
        return [sys.executable, "-c", "import sys; sys.stderr.write('vol2vol: no display'); sys.exit(1)"]

    monkeypatch.setattr(study_designer_dock, "command", stand_in)
    dock.reader.setCurrentText("R2")
    dock.read.click()
    assert started == [(tmp_path / "reading", "R2", "radiological", "darker")]
    assert not dock.read.isEnabled()
    qtbot.waitUntil(dock.read.isEnabled, timeout=10000)
    assert dock.status.text() == "reading window: vol2vol: no display"
    assert dock.reader.currentText() == "R2"


def test_a_damaged_study_file_is_told(dock, tmp_path):
    (tmp_path / "study.json").write_text("{")
    dock.open_folder(tmp_path)
    assert "found no valid JSON" in dock.status.text()
    assert dock.folder is None
    assert np.all([len(c.volumes) for c in dock.study.cases]) == 1
