import time

import numpy as np
import pytest
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_vol2vol.anatomical_planes import AXIAL, CORONAL
from napari_vol2vol.ct_windows import CT_WINDOWS
from napari_vol2vol.errors import StoreError
from napari_vol2vol.study.design import WindowPolicy
from napari_vol2vol.study.questions import Question
from napari_vol2vol.study.reading_set import volume_file
from ui.reading.driver import ENTER, begin, digit, logged, open_window, press, reading_folder, shown, texture

KEY = Qt.Key


def drag(canvas, button, start, end):
    """Drag with the mouse: QTest's moves carry no buttons."""
    kinds = QMouseEvent.Type.MouseButtonPress, QMouseEvent.Type.MouseMove, QMouseEvent.Type.MouseButtonRelease
    for kind, at in zip(kinds, (start, end, end), strict=True):
        held = Qt.MouseButton.NoButton if kind is kinds[2] else button
        event = QMouseEvent(
            kind, QPointF(*at), canvas.mapToGlobal(QPointF(*at)), button, held, Qt.KeyboardModifier.NoModifier
        )
        QApplication.sendEvent(canvas, event)


def test_a_pair_is_answered_with_two_keys_and_the_next_one_comes(qtbot, tmp_path):
    window = open_window(qtbot, reading_folder(tmp_path / "r"))
    assert window.page.title.text() == "A block"
    assert len(begin(qtbot, window).canvases) == 6
    assert window.trial.bar.code.text() == "CODE0"
    press(window, KEY.Key_J)
    assert window.session.choice == "right"
    press(window, KEY.Key_F, digit(4))
    shown(qtbot, window)
    assert window.trial.bar.code.text() == "CODE1"
    (body,) = logged(tmp_path / "r", "answer")
    assert (body["value"], body["confidence"]) == ("left", 4)
    seen = {(s["position"], s["plane"]) for s in body["slices"]}
    assert seen == {(p, plane) for p in (0, 1) for plane in ("axial", "coronal", "sagittal")}


def test_the_end_is_said_and_closing_does_not_ask_any_more(qtbot, tmp_path):
    window = open_window(qtbot, reading_folder(tmp_path / "r", trials=1))
    begin(qtbot, window)
    press(window, KEY.Key_F, digit(1))
    assert (window.page.title.text(), window.page.text.text()) == ("Finished", "Thank you.")
    press(window, ENTER)
    assert window.isHidden()
    assert logged(tmp_path / "r", "closed") == [{"finished": True}]


def test_a_digit_before_a_choice_and_a_held_key_answer_nothing(qtbot, tmp_path):
    window = open_window(qtbot, reading_folder(tmp_path / "r"))
    begin(qtbot, window)
    press(window, digit(3), ENTER)
    press(window, KEY.Key_F)
    from qtpy.QtGui import QKeyEvent

    held = QKeyEvent(QKeyEvent.Type.KeyPress, KEY.Key_3, Qt.KeyboardModifier.NoModifier, "3", True)
    QApplication.sendEvent(window, held)
    assert logged(tmp_path / "r", "answer") == []
    press(window, digit(3))
    assert len(logged(tmp_path / "r", "answer")) == 1


def test_closing_asks_and_the_time_stands_still_meanwhile(qtbot, tmp_path):
    now = [0.0]
    window = open_window(qtbot, reading_folder(tmp_path / "r"), session={"clock": lambda: now[0]})
    begin(qtbot, window)
    now[0] = 5.0
    window.close()
    assert not window.isHidden()
    assert window.page.title.text() == "Leave?"
    assert not window.trial.isVisible()
    window.close()  # asking twice is asking once
    now[0] = 100.0
    press(window, KEY.Key_N)
    assert window.trial.isVisible()
    assert window.session.seconds == 5.0
    press(window, KEY.Key_Escape)
    assert window.page.title.text() == "Leave?"
    press(window, KEY.Key_Y)
    assert window.isHidden()
    assert logged(tmp_path / "r", "closed") == [{"finished": False}]


def test_a_pause_hides_the_volumes_and_asking_to_leave_comes_back_to_it(qtbot, tmp_path):
    now = [0.0]
    window = open_window(qtbot, reading_folder(tmp_path / "r"), session={"clock": lambda: now[0]})
    views = begin(qtbot, window)
    press(window, KEY.Key_P)
    assert window.page.title.text() == "Paused"
    assert not views.isVisible()
    press(window, KEY.Key_Escape, KEY.Key_N)
    assert window.page.title.text() == "Paused"
    now[0] = 60.0
    press(window, KEY.Key_F, digit(3))
    assert window.session.choice is None
    press(window, KEY.Key_P)
    assert views.isVisible()
    now[0] = 61.0
    assert window.session.seconds == 1.0


def test_reading_goes_on_at_the_trial_and_choice_where_it_was_left(qtbot, tmp_path):
    reading = reading_folder(tmp_path / "r")
    window = open_window(qtbot, reading)
    begin(qtbot, window)
    press(window, KEY.Key_F, digit(2))
    shown(qtbot, window)
    press(window, KEY.Key_J)
    window.leave()
    again = open_window(qtbot, reading)
    assert "case 2 of 3" in again.page.text.text()
    begin(qtbot, again)
    assert again.trial.bar.code.text() == "CODE1"
    assert again.trial.panel.form.buttons["right"].isChecked()
    press(again, digit(5))
    assert [(b["value"], b["confidence"]) for b in logged(reading, "answer")] == [("left", 2), ("right", 5)]


def test_no_key_is_a_shortcut_while_text_is_written(qtbot, tmp_path):
    reading = reading_folder(tmp_path / "r", questions=(Question("why", "text", "Why?"),))
    window = open_window(qtbot, reading)
    views = begin(qtbot, window)
    press(window, KEY.Key_T)
    field = window.trial.panel.form.field
    assert window.focusWidget() is field
    before = views.state.point, views.state.zoom
    QTest.keyClicks(field, "fjpxrwm 1+n")
    QTest.keyClick(field, KEY.Key_Up)
    QTest.keyClick(field, KEY.Key_Tab)
    press(window, KEY.Key_P, KEY.Key_M)  # what a field lets through
    assert field.toPlainText().startswith("fjpxrwm 1+n")
    assert (views.state.point, views.state.zoom) == before
    assert window.page is None
    assert not views.large
    QTest.keyClick(field, KEY.Key_Escape)
    press(window, KEY.Key_M)
    assert views.large
    press(window, KEY.Key_T)
    QTest.keyClick(field, KEY.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert logged(reading, "answer")[0]["value"] == "fjpxrwm 1+n"


def test_a_locked_window_cannot_be_changed(qtbot, tmp_path):
    policy = WindowPolicy(preset="abdomen", locked=True, presets=("lung",))
    window = open_window(qtbot, reading_folder(tmp_path / "r", window=policy))
    views = begin(qtbot, window)
    drag(views.canvases[0], Qt.MouseButton.RightButton, (50, 50), (90, 20))
    press(window, KEY.Key_W)
    press(window, KEY.Key_Up, KEY.Key_Right, shift=True)
    assert views.state.limits == CT_WINDOWS["abdomen"].limits
    assert window.trial.bar.presets == []
    assert logged(tmp_path / "r", "window") == []


@pytest.mark.parametrize(("drag_up", "sign"), [("darker", 1), ("brighter", -1)])
def test_an_open_window_follows_the_drag_and_is_logged_once(qtbot, tmp_path, drag_up, sign):
    policy = WindowPolicy(preset="abdomen", presets=("lung",))
    window = open_window(qtbot, reading_folder(tmp_path / "r", window=policy), drag_up=drag_up)
    views = begin(qtbot, window)
    drag(views.canvases[0], Qt.MouseButton.RightButton, (50, 150), (80, 120))
    assert views.state.window() == pytest.approx((400 * 1.1, 40 + sign * 40))
    press(window, KEY.Key_W)
    assert views.state.limits == CT_WINDOWS["lung"].limits
    press(window, KEY.Key_W)
    assert views.state.limits == CT_WINDOWS["abdomen"].limits
    bodies = logged(tmp_path / "r", "window")
    assert [body["width"] for body in bodies] == pytest.approx([440, 1500, 400])
    press(window, KEY.Key_F, digit(1))
    assert shown(qtbot, window).state.limits == CT_WINDOWS["abdomen"].limits


def test_slices_crosshair_and_zoom_are_linked(qtbot, tmp_path):
    window = open_window(qtbot, reading_folder(tmp_path / "r"))
    views = begin(qtbot, window)
    press(window, KEY.Key_Up, KEY.Key_Up, KEY.Key_Down)
    assert [views.state.index(p, AXIAL) for p in (0, 1)] == [7, 7]
    press(window, KEY.Key_Tab, KEY.Key_PageDown)
    assert views.active is CORONAL
    assert [views.state.index(p, CORONAL) for p in (0, 1)] == [0, 0]
    canvas = views.canvases[0]
    at = canvas.to_screen((0.0, 4.5, -5.5))
    QTest.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=QPoint(round(at.x()), round(at.y())))
    assert views.state.point[1:] == pytest.approx((3.75, -5.5), abs=1.01)
    before = [c.pixels_per_mm for c in views.canvases]
    press(window, KEY.Key_Plus)
    assert [c.pixels_per_mm / b for c, b in zip(views.canvases, before, strict=True)] == pytest.approx(
        [1.15] * 6
    )
    press(window, KEY.Key_R)
    assert views.state.zoom == 1
    assert views.state.point == views.state.middle()


def test_a_double_click_makes_one_plane_large_in_both_volumes(qtbot, tmp_path):
    window = open_window(qtbot, reading_folder(tmp_path / "r"))
    views = begin(qtbot, window)
    QTest.mouseDClick(views.canvases[1], Qt.MouseButton.LeftButton)
    assert [(c.position, c.plane) for c in views.canvases if not c.isHidden()] == [(0, CORONAL), (1, CORONAL)]
    QApplication.processEvents()
    assert views.canvases[1].height() > 0.9 * views.height()
    assert views.canvases[1].width() > 0.45 * views.width()
    press(window, KEY.Key_M)
    assert not any(c.isHidden() for c in views.canvases)


def test_slices_that_were_looked_at_are_kept_with_the_answer(qtbot, tmp_path):
    window = open_window(qtbot, reading_folder(tmp_path / "r"))
    begin(qtbot, window)
    press(window, *[KEY.Key_Up] * 3)
    press(window, KEY.Key_F, digit(1))
    (body,) = logged(tmp_path / "r", "answer")
    (axial,) = [s for s in body["slices"] if (s["position"], s["plane"]) == (1, "axial")]
    assert (axial["count"], axial["ranges"]) == (4, [[6, 9]])


def test_an_answer_that_cannot_be_written_is_told_and_nothing_is_lost(qtbot, tmp_path, monkeypatch):
    window = open_window(qtbot, reading_folder(tmp_path / "r"))
    begin(qtbot, window)
    press(window, KEY.Key_F)
    with monkeypatch.context() as patch:

        def full(*unused, **more):
            raise StoreError(
                f"{tmp_path}/r/answers/R1.sqlite: could not be written: database or disk is full"
            )

        patch.setattr(window.session._store, "append", full)
        press(window, digit(3))
        assert window.banner.isVisible()
        assert "disk is full" in window.banner.text()
        assert str(tmp_path) not in window.banner.text()
        press(window, KEY.Key_J)
        assert window.trial.panel.form.buttons["left"].isChecked()
    assert window.trial.bar.code.text() == "CODE0"
    press(window, digit(3))
    assert not window.banner.isVisible()
    assert [(b["value"], b["confidence"]) for b in logged(tmp_path / "r", "answer")] == [("left", 3)]


def test_a_damaged_volume_is_told_without_its_name_and_can_be_tried_again(qtbot, tmp_path):
    reading = reading_folder(tmp_path / "r")
    file = volume_file(reading, "V1B")
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + b"\x7f")
    window = open_window(qtbot, reading)
    begin(qtbot, window)
    press(window, KEY.Key_F, digit(3))
    qtbot.waitUntil(lambda: window.page is not None, timeout=10000)
    text = window.page.text.text()
    assert "sha256" in text
    assert "V1B" not in text
    assert str(tmp_path) not in text
    file.write_bytes(whole)
    begin(qtbot, window)
    assert window.trial.bar.code.text() == "CODE1"
    assert len(logged(reading, "answer")) == 1


def test_focus_is_logged_when_it_changes_and_the_time_stands_still_without(qtbot, tmp_path, monkeypatch):
    now = [0.0]
    window = open_window(qtbot, reading_folder(tmp_path / "r"), session={"clock": lambda: now[0]})
    begin(qtbot, window)
    for seconds, active in ((1.0, True), (3.0, False), (60.0, False), (100.0, True)):
        now[0] = seconds
        monkeypatch.setattr(window, "isActiveWindow", lambda is_on=active: is_on)
        QApplication.sendEvent(window, QEvent(QEvent.Type.ActivationChange))
    now[0] = 102.0
    assert window.session.seconds == 5.0
    assert [b["gained"] for b in logged(tmp_path / "r", "focus")][-2:] == [False, True]


def test_the_next_case_is_there_within_a_second_and_no_more_than_two_are_held(qtbot, tmp_path):
    def large(seed):
        return texture(seed, (96, 96, 96), (1.0, 1.0, 1.0))

    window = open_window(qtbot, reading_folder(tmp_path / "r", trials=3, volume=large))
    begin(qtbot, window)
    waits = []
    for _ in range(2):
        qtbot.waitUntil(lambda: all(f.done() for f in window.trial.loader._cases.values()), timeout=20000)
        assert window.trial.loader.held() <= 2
        before = window.trial.views
        press(window, KEY.Key_F)
        start = time.perf_counter()
        press(window, digit(3))
        qtbot.waitUntil(lambda old=before: window.trial.views not in (None, old), timeout=5000)
        window.grab()
        waits.append(time.perf_counter() - start)
    assert max(waits) < 1.0
    loads = [body["load_seconds"] for body in logged(tmp_path / "r", "shown")]
    assert max(loads[1:]) < 0.1


def test_the_window_shows_what_the_volume_holds(qtbot, tmp_path):
    def spot(seed):
        volume = texture(seed, (20, 20, 20), (2.0, 2.0, 2.0))
        data = np.zeros(volume.shape, np.float32)
        data[9, 14, 16] = 1000  # in the middle axial slice, in front, on the patient's right
        return volume.with_data(data)

    policy = WindowPolicy(percentiles=(0.0, 100.0))
    window = open_window(qtbot, reading_folder(tmp_path / "r", shown=1, volume=spot, window=policy,
                                               questions=(Question("q", "yes-no", "?"),)))  # fmt: skip
    canvas = begin(qtbot, window).canvases[0]
    QApplication.processEvents()
    image = canvas.grab().toImage()
    at = canvas.to_screen((0.0, 9.0, 13.0))
    assert image.pixelColor(round(at.x()), round(at.y())).lightness() > 150
    assert at.x() < canvas.width() / 2
    assert at.y() < canvas.height() / 2
    assert canvas.letters == {"left": "R", "right": "L", "top": "A", "bottom": "P"}
    assert canvas.captions["bottom-left"] == "I 1.0 mm"


def test_volumes_of_cases_that_were_read_are_let_go(qtbot, tmp_path):
    import gc

    from napari_vol2vol.volume import Volume

    def alive():
        QApplication.sendPostedEvents(None, 52)  # QEvent::DeferredDelete
        gc.collect()
        return sum(type(thing) is Volume for thing in gc.get_objects())  # asks no object anything

    reading = reading_folder(tmp_path / "r", trials=8)
    before = alive()
    window = open_window(qtbot, reading)
    begin(qtbot, window)
    for _ in range(7):
        press(window, KEY.Key_F, digit(3))
        shown(qtbot, window)
        qtbot.waitUntil(lambda: all(f.done() for f in window.trial.loader._cases.values()), timeout=5000)
        assert alive() - before <= 4  # two of this pair, two of the next
    press(window, KEY.Key_F, digit(3), ENTER)
    assert alive() == before
