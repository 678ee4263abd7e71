from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_vol2vol.ui.compare_dock import CompareDock
from napari_vol2vol.ui.composites import checkerboard, wipe
from napari_vol2vol.volume import Volume

SHAPE = (12, 14, 16)


@pytest.fixture
def dock(qtbot):
    viewer = ViewerModel()
    for name, value in (("one", 10.0), ("two", 30.0)):
        ramp = value + np.linspace(0, 1, SHAPE[2], dtype=np.float32)
        data = np.broadcast_to(ramp, SHAPE).copy()
        array, keywords, _ = Volume.from_array(data, (2, 2, 2), name=name).to_layer()
        viewer.add_image(array, **keywords, contrast_limits=(0, 50))
    viewer.add_image(np.zeros(SHAPE), name="beside", visible=True)
    widget = CompareDock(viewer)
    qtbot.addWidget(widget)
    widget.a.choose(viewer.layers["one"])
    widget.b.choose(viewer.layers["two"])
    yield widget
    widget.close_dock()


def start(dock, mode):
    dock.mode.setCurrentText(mode)
    dock.apply.click()


def test_blinking_swaps_two_layers_and_ending_shows_what_was_shown(dock):
    start(dock, "blink")
    one, two, beside = (dock.viewer.layers[name] for name in ("one", "two", "beside"))
    assert (one.visible, two.visible, beside.visible) == (True, False, False)
    dock.blink_key.activated.emit()
    assert (one.visible, two.visible) == (False, True)
    assert "now two" in dock.status.text()
    dock.end.click()
    assert all(layer.visible for layer in (one, two, beside))


def test_the_wipe_follows_the_crosshair(dock):
    start(dock, "wipe")
    layer = dock.viewer.layers["one"]
    dock.viewer.dims.set_point(2, layer.translate[2] + 5 * layer.scale[2])
    shown = dock.layer.data
    assert (shown[..., :5] < 20).all()
    assert (shown[..., 5:] > 20).all()
    dock.direction.setCurrentText("top to bottom")
    dock.viewer.dims.set_point(0, layer.translate[0] + 3 * layer.scale[0])
    assert (dock.layer.data[:3] < 20).all()
    assert (dock.layer.data[3:] > 20).all()


def test_the_checkerboard_has_fields_of_the_size_asked_for(dock):
    dock.field.setValue(8)
    start(dock, "checkerboard")
    shown = dock.layer.data > 20
    assert not shown[:4, :4, :4].any()
    assert shown[:4, :4, 4:8].all()
    assert not shown[:4, 4:8, 4:8].any()


def test_the_difference_is_signed_and_symmetric_about_zero(dock):
    start(dock, "difference")
    np.testing.assert_allclose(dock.layer.data, -20)
    low, high = dock.layer.contrast_limits
    assert low == -high


def test_the_picture_leaves_with_the_dock_and_the_volumes_stay(dock):
    start(dock, "difference")
    dock.close_dock()
    assert [layer.name for layer in dock.viewer.layers] == ["one", "two", "beside"]


def test_volumes_on_different_grids_cannot_be_compared(dock):
    dock.viewer.add_image(np.ones((4, 5, 6)), name="small")
    dock.b.choose(dock.viewer.layers["small"])
    assert not dock.apply.isEnabled()
    assert "different grids" in dock.status.text()


def test_composites_take_every_voxel_from_one_of_the_two():
    a, b = np.zeros(SHAPE, np.float32), np.ones(SHAPE, np.float32)
    board = checkerboard(a, b, (1.0, 1.0, 3.0), 3.0)
    assert set(np.unique(board)) == {0.0, 1.0}
    assert board.mean() == pytest.approx(0.5, abs=0.02)
    assert wipe(a, b, 1, -4).all()
    assert not wipe(a, b, 1, 99).any()
