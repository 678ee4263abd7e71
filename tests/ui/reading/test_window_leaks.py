"""Nothing that tells a volume, an arm or a case is on the reader's screen, whatever was planted."""

from dataclasses import replace

import nibabel as nib
from qtpy.QtCore import Qt
from qtpy.QtGui import QGuiApplication
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QWidget

from napari_vol2vol.study.design import WindowPolicy
from napari_vol2vol.study.folder import StudyFolder
from napari_vol2vol.study.freeze import freeze
from napari_vol2vol.study.store import ANSWERS
from study.small_studies import paper_study, truth_of
from ui.reading.driver import KEYS, open_window, press, read

#: Planted in the study's name and folder, in blocks, arms, cases, file names and headers.
PLANTED = ("zebra", "quagga", "okapi", "gnu", "secret")
TEXTS = ("text", "title", "toolTip", "statusTip", "whatsThis", "accessibleName", "accessibleDescription",
         "windowTitle", "windowFilePath", "objectName", "placeholderText", "toPlainText")  # fmt: skip


def planted_study(path):
    """A frozen study in which everything that can carry a name carries one."""
    folder = StudyFolder(path / "secret-okapi")
    folder.path.mkdir()
    study = paper_study(folder.path, pairs=4, singles=2, arms=("real", "zebra"), washout_days=3.0)
    cases, blocks = [], []
    for case in study.cases:
        volumes = {}
        for arm, file in case.volumes.items():
            old = folder.path / file.path
            new = old.with_name(f"quagga-{arm}-{old.name}")
            image = nib.load(old)
            image.header["descrip"] = b"secret gnu"
            nib.save(image, new)
            old.unlink()
            volumes[arm] = replace(file, path=str(new.relative_to(folder.path)))
        cases.append(replace(case, name=f"okapi-{case.name}", volumes=volumes))
    for block in study.blocks:
        items, training = (
            tuple(replace(item, case=f"okapi-{item.case}") for item in items)
            for items in (block.items, block.training)
        )
        blocks.append(replace(block, name=f"{block.name}-zebra", title="", items=items, training=training))
    blocks.append(replace(blocks[0], name="again-zebra", training=()))
    questions = tuple(replace(q, positive=("zebra",)) for q in study.questions)
    folder.save(
        replace(
            study,
            name="secret-gnu",
            cases=tuple(cases),
            blocks=tuple(blocks),
            questions=questions,
            window=WindowPolicy(presets=("lung",)),
        )
    )
    freeze(folder, accept_leaks=True)
    return folder


def texts_of(window):
    """Everything that widgets of the application say, and what is painted over the volumes."""
    found = []
    for widget in [*QApplication.topLevelWidgets(), *window.findChildren(QWidget)]:
        found += [str(getattr(widget, name)()) for name in TEXTS if callable(getattr(widget, name, None))]
        found += [str(getattr(widget, "captions", "")), str(getattr(widget, "letters", ""))]
    return "\n".join([*found, QGuiApplication.clipboard().text(), window.session.set.end_text])


def test_nothing_that_was_planted_is_on_the_screen(qtbot, tmp_path):
    folder = planted_study(tmp_path)
    QGuiApplication.clipboard().clear()
    window = open_window(qtbot, folder.reading)
    forbidden = [*PLANTED, *window.session.set.volumes, "repeat", "R1-0", str(tmp_path), "sqlite"]
    looks, codes = [], set()

    def look(window):
        window.grab()
        text = texts_of(window)
        assert [word for word in forbidden if word.lower() in text.lower()] == []
        looks.append(text)
        if window.trial.views is not None:
            codes.add(window.trial.bar.code.text())

    read(qtbot, window, lambda session: (truth_of(folder, session), 3), look)
    assert len(codes) == len(window.session.trials)
    assert any("the study plans 3 days between them" in text for text in looks)  # a warning that names blocks
    assert any("Correct" in text for text in looks)


def test_no_key_copies_saves_or_prints(qtbot, tmp_path, monkeypatch):
    folder = planted_study(tmp_path)
    monkeypatch.chdir(tmp_path)
    QGuiApplication.clipboard().clear()
    window = open_window(qtbot, folder.reading)
    press(window, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: window.trial.views is not None)
    before = {p for p in tmp_path.rglob("*") if ANSWERS not in p.parts}
    control = Qt.KeyboardModifier.ControlModifier
    for key in (Qt.Key.Key_C, Qt.Key.Key_A, Qt.Key.Key_S, Qt.Key.Key_P, Qt.Key.Key_Print, Qt.Key.Key_F12):
        QTest.keyClick(window, key, control)
        QTest.keyClick(window, key)
        if window.page is not None:
            press(window, Qt.Key.Key_P)
    assert {p for p in tmp_path.rglob("*") if ANSWERS not in p.parts} == before
    assert QGuiApplication.clipboard().text() == ""
    assert not any(menu.isVisible() for menu in window.findChildren(QWidget) if menu.inherits("QMenu"))
    assert KEYS["left"] == Qt.Key.Key_F


def test_names_of_blocks_and_files_in_errors_are_taken_out(qtbot, tmp_path):
    folder = planted_study(tmp_path)
    window = open_window(qtbot, folder.reading)
    code = next(iter(window.session.set.volumes))
    window.banner.tell(OSError(f"{folder.reading}/volumes/{code}.nii: block again-zebra is broken"))
    assert window.banner.text() == (
        "Not saved: volumes/a volume: “part 3” is broken. What was answered before is kept."
    )
