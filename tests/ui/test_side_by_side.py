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
    yield widget
    widget.close_dock()


def names(dock):
    return [row.layer.name for row in dock.rows]


def test_visible_volumes_get_a_row_each_and_leave_with_their_layer(dock):
    dock.show_chosen()
    assert names(dock) == ["one", "two"]
    assert [len(row.views) for row in dock.rows] == [3, 3]
    dock.viewer.layers.remove("one")
    assert names(dock) == ["two"]


def test_a_hidden_layer_is_shown_where_it_is_asked_for_and_four_at_most(dock, add_head):
    dock.choose(["three"])
    assert names(dock) == ["three"]
    assert dock.rows[0].pair.copy.visible
    for name in ("four", "five"):
        add_head(dock.viewer, name=name)
    for i in range(dock.choices.count()):
        dock.choices.item(i).setCheckState(dock.choices.item(0).checkState().Checked)
    assert [layer.name for layer in dock.chosen()] == ["one", "two", "three", "four"]


def test_rows_share_crosshair_zoom_and_pan_and_follow_window_and_data_of_their_layers(dock):
    dock.show_chosen()
    axial, other = dock.rows[0].views[0], dock.rows[1].views[0]
    coronal = dock.rows[1].views[1].model.scene.camera.zoom
    axial.model.scene.camera.zoom = 7.5
    axial.model.scene.camera.center = (0, 11, 12)
    assert other.model.scene.camera.zoom == 7.5
    assert tuple(other.model.scene.camera.center)[1:] == (11, 12)
    assert dock.rows[1].views[1].model.scene.camera.zoom == coronal
    dock.crosshair.move((4.0, -6.0, 8.0))
    np.testing.assert_allclose(dock.viewer.dims.point, (4, -6, 8), atol=2)
    dock.viewer.dims.set_point(0, 10.0)
    assert dock.crosshair.position[0] == pytest.approx(10, abs=2)
    layer, copy = dock.viewer.layers["one"], dock.rows[0].pair.copy
    layer.contrast_limits = (100, 300)
    layer.data = layer.data * 0 + 7
    assert tuple(copy.contrast_limits) == (100, 300)
    assert float(copy.data.max()) == 7
