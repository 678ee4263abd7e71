"""Drives the reading window with keys, as a reader does."""

import hashlib

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_vol2vol.study.blinding import write_blinded
from napari_vol2vol.study.design import WindowPolicy
from napari_vol2vol.study.folder import as_text
from napari_vol2vol.study.json_fields import encode
from napari_vol2vol.study.questions import Question
from napari_vol2vol.study.reading_set import BlockText, ReadingSet, Trial, reading_file, volume_file
from napari_vol2vol.study.session import ReadingSession
from napari_vol2vol.study.store import Store, answer_file
from napari_vol2vol.ui.reading.window import ReadingWindow
from napari_vol2vol.volume import Volume, scale_affine

KEYS = {"left": Qt.Key.Key_F, "right": Qt.Key.Key_J, "yes": Qt.Key.Key_F, "no": Qt.Key.Key_J}
ENTER = Qt.Key.Key_Return
WHICH = Question("which", "2afc", "Which one?", confidence=(1, 5))


def texture(seed, shape=(14, 16, 18), spacing=(2.0, 1.5, 1.0)):
    """Whole values 0 to 999 on a grid whose middle is at 0 mm."""
    data = np.random.default_rng(seed).integers(0, 1000, shape).astype(np.float32)
    origin = [-(n - 1) / 2 * s for n, s in zip(shape, spacing, strict=True)]
    return Volume(data, scale_affine(spacing, origin), name="texture")


def reading_folder(folder, trials=3, questions=(WHICH,), shown=2, volume=texture, **more):
    """Write a reading folder of one block; every trial has its own volumes."""
    hashes, plan = {}, []
    (folder / "volumes").mkdir(parents=True)
    for n in range(trials):
        codes = tuple(f"V{n}{chr(65 + k)}" for k in range(shown))
        for k, code in enumerate(codes):
            path = volume_file(folder, code)
            write_blinded(volume(10 * n + k), path)
            hashes[code] = hashlib.sha256(path.read_bytes()).hexdigest()
        names = tuple(q.name for q in questions)
        plan.append(Trial(f"R1-{n:04d}", f"CODE{n}", "block", "test", codes, names))
    study = ReadingSet(
        "small", "Small study", "0" * 64, tuple(questions), {"block": BlockText("a block", "Look.")}, hashes,
        {"R1": tuple(plan)}, more.pop("window", WindowPolicy()), end_text="Thank you.", **more,
    )  # fmt: skip
    reading_file(folder).write_text(as_text(encode(study)))
    return folder


def open_window(qtbot, reading, reader="R1", **more):
    """Open the window; it is left without asking at the end of the test."""
    window = ReadingWindow(ReadingSession(reading, reader, **more.pop("session", {})), **more)
    qtbot.addWidget(window, before_close_func=ReadingWindow.leave)
    window.resize(1000, 700)
    window.show()
    QApplication.processEvents()
    return window


def press(window, *keys, shift=False):
    """Press keys on the window."""
    modifier = Qt.KeyboardModifier.ShiftModifier if shift else Qt.KeyboardModifier.NoModifier
    for key in keys:
        QTest.keyClick(window, key, modifier)


def shown(qtbot, window):
    """Wait until a case is on the screen."""
    qtbot.waitUntil(lambda: window.trial.views is not None or window.page is not None, timeout=10000)
    assert window.page is None, window.page.text.text()
    return window.trial.views


def begin(qtbot, window):
    """Go past the page before the block."""
    press(window, ENTER)
    return shown(qtbot, window)


def digit(number):
    """The key of a digit."""
    return Qt.Key(Qt.Key.Key_0 + number)


def read(qtbot, window, answer, look=lambda window: None):
    """Read to the end; ``answer(session)`` returns value and confidence; ``look`` sees every state."""
    session = window.session
    while not session.finished:
        look(window)
        if window.page is not None or window.trial.panel.feedback:
            press(window, ENTER)
            continue
        shown(qtbot, window)
        look(window)
        value, confidence = answer(session)
        press(window, KEYS[value])
        look(window)
        press(window, digit(confidence))
    look(window)


def logged(reading, kind, reader="R1"):
    """The bodies of all events of a kind."""
    with Store.read(answer_file(reading, reader)) as store:
        return [event.body for event in store.events(kind)]
