from __future__ import annotations

import gc

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent, QWheelEvent
from qtpy.QtTest import QTest

from napari_vol2vol.ui.three_views import ThreeViews
from napari_vol2vol.volume import METADATA_KEY

BLOB_MM = (20.0, 25.0, 30.0)


def process(milliseconds: int) -> None:
    QTest.qWait(milliseconds)


def grab(view) -> np.ndarray:
    """Return what a plane shows as an array (rows, columns), letters and crosshair left out."""
    view.overlay.hide()
    process(30)
    shot = view.canvas.canvas.native.grabFramebuffer()
    view.overlay.show()
    shot = shot.convertToFormat(shot.Format.Format_Grayscale8)
    rows = np.frombuffer(shot.constBits().asstring(shot.sizeInBytes()), np.uint8)
    return rows.reshape(shot.height(), shot.bytesPerLine())[:, : shot.width()]


def bright_middle(view) -> tuple[float, float]:
    """Return the middle of the bright blob as fractions (across, down) of the plane."""
    picture = grab(view)
    down, across = np.nonzero(picture > 200)
    assert len(down) > 20, "the bright block is not to be seen"
    return across.mean() / picture.shape[1], down.mean() / picture.shape[0]


def drag(overlay, button, start: QPoint, stop: QPoint) -> None:
    QTest.mousePress(overlay, button, Qt.KeyboardModifier.NoModifier, start)
    move = QMouseEvent(
        QEvent.Type.MouseMove,
        QPointF(stop),
        overlay.mapToGlobal(QPointF(stop)),
        Qt.MouseButton.NoButton,
        button,
        Qt.KeyboardModifier.NoModifier,
    )
    overlay.mouseMoveEvent(move)
    QTest.mouseRelease(overlay, button, Qt.KeyboardModifier.NoModifier, stop)


def wheel(overlay, notches: int, *, ctrl: bool = False) -> None:
    where = QPointF(overlay.width() / 3, overlay.height() / 3)
    modifier = Qt.KeyboardModifier.ControlModifier if ctrl else Qt.KeyboardModifier.NoModifier
    overlay.wheelEvent(
        QWheelEvent(
            where,
            overlay.mapToGlobal(where),
            QPoint(),
            QPoint(0, 120 * notches),
            Qt.MouseButton.NoButton,
            modifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
    )


@pytest.fixture(scope="module")
def module_views(qapp, make_head):
    """Three views over a bare ViewerModel: a window of their own, made once, which keeps this module fast."""
    viewer = ViewerModel()
    widget = ThreeViews(viewer)
    data, kwargs, _ = make_head().to_layer()
    widget.layer = viewer.add_image(data, **kwargs)
    widget.resize(1100, 900)
    widget.show()
    process(200)
    yield widget
    widget.close_views()
    widget = viewer = None
    process(50)
    gc.collect()


@pytest.fixture
def shown(module_views, make_head):
    module_views.viewer.layers[0].data = make_head().data
    module_views.viewer.layers[0].contrast_limits = (0, 1000)
    module_views.set_convention("radiological")
    module_views.reset()
    module_views.crosshair.move(BLOB_MM)
    process(100)
    return module_views


def test_letters_say_where_the_patient_lies(shown):
    """Pixel check in both conventions: the block lies superior, anterior and on the patient's right."""
    axial, coronal, sagittal = (shown.planes[n] for n in ("axial", "coronal", "sagittal"))
    for view in (axial, coronal):
        across, down = bright_middle(view)
        assert across < 0.45, "the patient's right belongs on screen left"
        assert down < 0.45, "anterior (superior) belongs up"
    across, down = bright_middle(sagittal)
    assert across < 0.45, "anterior belongs on the left of a sagittal slice"
    assert down < 0.45, "superior belongs up"
    shown.set_convention("neurological")
    assert bright_middle(axial)[0] > 0.55
    assert bright_middle(coronal)[0] > 0.55
    assert bright_middle(sagittal)[0] < 0.45
    assert axial.overlay.letters["left"] == "L"


def test_crosshair_is_drawn_where_the_block_is(shown):
    """With a translate far from zero; napari-orthogonal-views drew it off by exactly the offset."""
    for view in shown.planes.values():
        across, down = bright_middle(view)
        point = view.to_screen(BLOB_MM)
        assert point.x() / view.width() == pytest.approx(across, abs=0.02)
        assert point.y() / view.height() == pytest.approx(down, abs=0.02)


def test_pixels_and_millimetres_are_inverse(shown):
    for view in shown.planes.values():
        world = view.to_world(QPointF(60, 45))
        back = view.to_screen(world)
        assert (back.x(), back.y()) == pytest.approx((60, 45))


def test_click_links_all_planes_and_the_main_viewer(shown, qtbot):
    axial = shown.planes["axial"]
    target = axial.to_screen((BLOB_MM[0], -10.0, -14.0)).toPoint()
    QTest.mouseClick(axial.overlay, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, target)
    z, y, x = shown.crosshair.position
    assert (z, y, x) == pytest.approx((BLOB_MM[0], -10, -14), abs=1)
    half_voxel = 1.0
    assert shown.planes["coronal"].model.dims.point[1] == pytest.approx(y, abs=half_voxel)
    assert shown.planes["sagittal"].model.dims.point[2] == pytest.approx(x, abs=half_voxel)
    qtbot.waitUntil(lambda: shown.viewer.dims.point == pytest.approx((z, y, x), abs=half_voxel), timeout=2000)


def test_moving_the_main_slider_moves_the_planes(shown, qtbot):
    qtbot.wait(120)
    shown.viewer.dims.set_point(0, -15.0)
    assert shown.crosshair.position[0] == pytest.approx(-15)
    assert shown.planes["axial"].overlay.captions["top-left"] == "Axial   I 15.0 mm"


def test_wheel_steps_through_slices_and_ctrl_wheel_zooms(shown):
    axial = shown.planes["axial"]
    wheel(axial.overlay, 2)
    assert shown.crosshair.position[0] == pytest.approx(BLOB_MM[0] + 2 * 2.0)
    under = axial.to_world(QPointF(axial.width() / 3, axial.height() / 3))
    zoom = axial.model.scene.camera.zoom
    wheel(axial.overlay, 3, ctrl=True)
    assert axial.model.scene.camera.zoom > 1.3 * zoom
    assert axial.to_world(QPointF(axial.width() / 3, axial.height() / 3)) == pytest.approx(under)


def test_the_crosshair_stays_in_the_volume(shown):
    wheel(shown.planes["axial"].overlay, 1000)
    assert shown.crosshair.position[0] <= shown.viewer.dims.range[0].stop


def test_right_drag_changes_the_window_of_main_layer_and_all_planes(shown):
    overlay = shown.planes["coronal"].overlay
    drag(overlay, Qt.MouseButton.RightButton, QPoint(100, 100), QPoint(160, 100))
    low, high = shown.layer.contrast_limits
    assert high - low == pytest.approx(1200)
    for view in shown.planes.values():
        assert list(view.model.layers[0].contrast_limits) == [low, high]
        assert view.overlay.captions["bottom-left"] == "W 1200  L 500"


def test_middle_drag_pans_under_the_cursor(shown):
    view = shown.planes["sagittal"]
    world = view.to_world(QPointF(100, 100))
    drag(view.overlay, Qt.MouseButton.MiddleButton, QPoint(100, 100), QPoint(130, 80))
    assert view.to_world(QPointF(130, 80)) == pytest.approx(world)


def test_double_click_enlarges_one_plane_and_back(shown):
    overlay = shown.planes["coronal"].overlay
    QTest.mouseDClick(overlay, Qt.MouseButton.LeftButton)
    process(30)
    assert [n for n, v in shown.planes.items() if v.isVisible()] == ["coronal"]
    assert shown.planes["coronal"].height() > 0.8 * shown.height()
    QTest.mouseDClick(overlay, Qt.MouseButton.LeftButton)
    process(30)
    assert all(view.isVisible() for view in shown.planes.values())


def test_r_resets_zoom_and_crosshair(shown):
    view = shown.planes["axial"]
    zoom = view.model.scene.camera.zoom
    wheel(view.overlay, 5, ctrl=True)
    view.overlay.setFocus()
    QTest.keyClick(view.overlay, Qt.Key.Key_R)
    process(30)
    assert view.model.scene.camera.zoom == pytest.approx(zoom)
    assert shown.crosshair.position == pytest.approx((0, 0, 0), abs=1)


def test_readout_names_value_and_units(shown):
    shown.planes["axial"].hovered.emit(BLOB_MM)
    assert shown.status.text() == "R 30.0  A 25.0  S 20.0 mm      T1 low  1000 a.u."


def test_new_data_reaches_all_planes(shown):
    shown.layer.data = np.zeros_like(shown.layer.data)
    process(50)
    for view in shown.planes.values():
        assert grab(view).max() < 50


@pytest.fixture
def shown_ct(shown):
    before = dict(shown.layer.metadata)
    shown.layer.metadata = {METADATA_KEY: {**before[METADATA_KEY], "units": "HU"}}
    yield shown
    shown.layer.metadata = before


def test_a_ct_window_is_chosen_from_the_menu_and_named_there(shown_ct):
    shown = shown_ct
    shown.set_ct_window("lung")
    assert list(shown.layer.contrast_limits) == [-1350, 150]
    assert shown.bar._ct_window.currentText().startswith("Lung")
    for view in shown.planes.values():
        assert view.overlay.captions["bottom-left"] == "W 1500  L -600"
    overlay = shown.planes["axial"].overlay
    drag(overlay, Qt.MouseButton.RightButton, QPoint(100, 100), QPoint(160, 100))
    assert shown.bar._ct_window.currentText() == "CT window"


def test_other_layers_have_no_menu_of_ct_windows(shown):
    shown._show_window()
    assert shown.bar._ct_window.isHidden()


def test_a_layer_in_hounsfield_units_has_the_menu(shown_ct):
    shown_ct._show_window()
    assert not shown_ct.bar._ct_window.isHidden()
