from __future__ import annotations

import numpy as np
import pytest

from napari_vol2vol.ui.side_by_side import SideBySide


@pytest.fixture
def dock(make_napari_viewer, add_head):
    viewer = make_napari_viewer()
    layers = [add_head(viewer, name=name) for name in ("one", "two", "three")]
    layers[2].visible = False
    widget = SideBySide(viewer)
    viewer.window.add_dock_widget(widget, name="Side by side")
    widget.show_chosen()
    yield widget
    widget.close_dock()


def names(dock):
    return [row.layer.name for row in dock.rows]


def test_visible_volumes_get_a_row_of_three_planes_each(dock):
    assert names(dock) == ["one", "two"]
    assert [len(row.views) for row in dock.rows] == [3, 3]
    dock.choose(["three"])
    assert names(dock) == ["three"]
    assert dock.rows[0].pair.copy.visible, "a hidden layer is shown where it was asked for"


def test_one_two_and_four_volumes_fit(dock, add_head):
    add_head(dock.viewer, name="four")
    add_head(dock.viewer, name="five")
    dock.choose(["one", "two", "three", "four", "five"])
    assert names(dock) == ["one", "two", "three", "four"], "four at most"


def test_zoom_and_pan_of_a_plane_go_to_the_same_plane_of_the_other_rows(dock):
    axial, other = dock.rows[0].views[0], dock.rows[1].views[0]
    coronal = dock.rows[1].views[1].model.scene.camera.zoom
    axial.model.scene.camera.zoom = 7.5
    axial.model.scene.camera.center = (0, 11, 12)
    assert other.model.scene.camera.zoom == 7.5
    assert tuple(other.model.scene.camera.center)[1:] == (11, 12)
    assert dock.rows[1].views[1].model.scene.camera.zoom == coronal


def test_the_crosshair_is_that_of_the_main_viewer(dock):
    dock.crosshair.move((4.0, -6.0, 8.0))
    np.testing.assert_allclose(dock.viewer.dims.point, (4, -6, 8), atol=2)
    dock.viewer.dims.set_point(0, 10.0)
    assert dock.crosshair.position[0] == pytest.approx(10, abs=2)


def test_windows_and_data_follow_the_layers(dock):
    layer = dock.viewer.layers["one"]
    layer.contrast_limits = (100, 300)
    layer.data = layer.data * 0 + 7
    copy = dock.rows[0].pair.copy
    assert tuple(copy.contrast_limits) == (100, 300)
    assert float(copy.data.max()) == 7


def test_a_removed_layer_takes_its_row_along(dock):
    dock.viewer.layers.remove("one")
    assert names(dock) == ["two"]
