import os
import subprocess
import sys

import pytest

from napari_vol2vol.ui.reading.start import command
from ui.reading.driver import logged, reading_folder

OFFSCREEN = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}


def run(*arguments, **more):
    return subprocess.run(
        arguments, capture_output=True, text=True, env=OFFSCREEN, check=False, timeout=60, **more
    )


def test_the_window_needs_neither_napari_nor_torch():
    code = (
        "import sys, napari_vol2vol.ui.reading.window, napari_vol2vol.ui.reading.start\n"
        "assert not {'napari', 'torch', 'vispy', 'pandas'} & set(sys.modules), 'too much is imported'"
    )
    result = run(sys.executable, "-c", code)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("reader", ["R1", "nobody"])
def test_the_program_opens_the_window_or_says_in_one_line_why_not(tmp_path, reader):
    reading = reading_folder(tmp_path / "r")
    if reader == "nobody":
        result = run(*command(reading, reader))
        assert result.returncode == 1
        assert result.stderr == "vol2vol: reader: found 'nobody', accepted are R1\n"
        return
    # a timer of the test presses Enter, F and 2, then leaves
    driver = (
        "import sys\n"
        "from qtpy.QtCore import QTimer, Qt\n"
        "from qtpy.QtTest import QTest\n"
        "from qtpy.QtWidgets import QApplication\n"
        "from napari_vol2vol.ui.reading.start import main\n"
        "app = QApplication([])\n"
        "def go():\n"
        "    w = next(w for w in app.topLevelWidgets() if hasattr(w, 'session'))\n"
        "    assert w.isFullScreen()\n"
        "    QTest.keyClick(w, Qt.Key.Key_Return)\n"
        "    while w.trial.views is None: QTest.qWait(10)\n"
        "    QTest.keyClick(w, Qt.Key.Key_F); QTest.keyClick(w, Qt.Key.Key_2)\n"
        "    w.leave()\n"
        "QTimer.singleShot(200, go)\n"
        f"sys.exit(main([{str(reading)!r}, '--reader', 'R1']))\n"
    )
    result = run(sys.executable, "-c", driver)
    assert result.returncode == 0, result.stderr
    assert [body["confidence"] for body in logged(reading, "answer")] == [2]
