from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from qtpy.QtTest import QTest

BLOB_MM = (20.0, 25.0, 30.0)


def process(milliseconds: int) -> None:
    QTest.qWait(milliseconds)


@pytest.fixture
def docked(three_views, add_head):
    widget = three_views(show=True)
    widget.layer = add_head(widget.viewer)
    process(100)
    return widget


def test_main_canvas_gives_its_room_and_gets_it_back(docked):
    shown = docked
    window = shown.window()
    assert not window.centralWidget().isVisible()
    shown.bar._canvas.setChecked(True)
    assert window.centralWidget().isVisible()
    shown.bar._canvas.setChecked(False)
    shown.viewer.window.remove_dock_widget(shown)
    assert window.centralWidget().isVisible()


def test_closing_the_dock_disconnects_and_frees(three_views, add_head):
    widget = three_views()
    viewer = widget.viewer
    layer = add_head(viewer)
    gone = weakref.ref(widget.planes["axial"].model)
    viewer.window.remove_dock_widget(widget)
    layer.data = layer.data + 1
    add_head(viewer, name="later")
    del widget
    process(20)
    gc.collect()
    assert gone() is None


def test_time_series_follow_the_main_slider(three_views):
    widget = three_views()
    data = np.zeros((3, 8, 9, 10), np.float32)
    widget.viewer.add_image(data, contrast_limits=(0, 1))
    widget.viewer.dims.set_point(0, 2)
    for view in widget.planes.values():
        assert view.model.dims.point[0] == 2
        assert view.model.dims.order == view.plane.order(4)


def test_only_public_napari_api_is_used(make_napari_viewer_proxy, three_views, add_head):
    """The proxy turns private access into a FutureWarning, which is an error here."""
    widget = three_views(make_napari_viewer_proxy())
    add_head(widget.viewer)
    widget.crosshair.move(BLOB_MM)
    process(120)
    assert widget.planes["axial"].model.layers
