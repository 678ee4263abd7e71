from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_vol2vol.ui.regions_dock import RegionsDock
from napari_vol2vol.volume import Volume

SHAPE = (6, 8, 10)


@pytest.fixture
def dock(qtbot):
    viewer = ViewerModel()
    rng = np.random.default_rng(0)
    native = rng.normal(40, 5, SHAPE).astype(np.float32)
    for name, data in (("contrast", native + 250), ("native", native)):
        array, keywords, _ = Volume.from_array(
            data, (3, 2, 2), modality="CT", units="HU", name=name
        ).to_layer()
        viewer.add_image(array, **keywords)
    widget = RegionsDock(viewer)
    qtbot.addWidget(widget)
    widget.before.choose(viewer.layers["contrast"])
    widget.after.choose(viewer.layers["native"])
    yield widget
    widget.close_dock()


def text(dock, row, column):
    return dock.table.item(row, column).text()


def test_regions_drawn_in_a_new_layer_are_measured_before_and_after(dock, qtbot):
    assert "draw or load" in dock.status.text()
    dock.draw.click()
    labels = dock.viewer.layers["contrast · regions"]
    labels.data[:2] = 1
    labels.data[4:, :, 5:] = 3
    dock.measure.click()
    qtbot.waitUntil(lambda: dock.table.rowCount() == 2, timeout=10000)
    assert [text(dock, row, 0) for row in (0, 1)] == ["1", "3"]
    assert text(dock, 0, 4) == "-250.0"
    assert text(dock, 0, 2).startswith("29")
    assert "HU" in dock.status.text()


def test_names_of_a_labels_layer_are_shown(dock, qtbot):
    dock.draw.click()
    labels = dock.viewer.layers["contrast · regions"]
    labels.data[:2] = 1
    labels.features = {"index": [0, 1], "name": ["nothing", "aorta"]}
    dock.run()
    qtbot.waitUntil(lambda: dock.table.rowCount() == 1, timeout=10000)
    assert text(dock, 0, 0) == "aorta"
    assert dock.as_csv().splitlines()[1].startswith("aorta,160,")


def test_an_empty_drawing_is_said_in_one_sentence(dock, qtbot):
    dock.draw.click()
    dock.measure.click()
    qtbot.waitUntil(lambda: "no voxel above 0" in dock.status.text(), timeout=10000)
    assert dock.measure.isEnabled()


def test_regions_on_another_grid_cannot_be_measured(dock):
    dock.viewer.add_labels(np.ones((3, 4, 5), int), name="other")
    assert not dock.measure.isEnabled()
    assert "one grid" in dock.status.text()
