from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_vol2vol.engine.events import Snapshot
from napari_vol2vol.ui.result_layers import ResultLayers, tap_look
from napari_vol2vol.ui.tap_fields import TapFields
from napari_vol2vol.volume import Volume

SHAPE = (8, 10, 12)


@pytest.fixture
def layers():
    source = Volume.from_array(np.ones(SHAPE, np.float32), (2, 2, 2), name="low")
    return ResultLayers(ViewerModel(), source, "tpdm", [])


def test_names_are_offered_once_and_stay_ticked(qtbot):
    fields = TapFields()
    qtbot.addWidget(fields)
    fields.offer(["x_t", "axial", "fixed prior"])
    fields.choose("axial")
    fields.offer(["axial", "x_t", "w"])
    assert fields.list.count() == 3
    assert fields.chosen() == {"axial"}


def test_a_tap_becomes_one_layer_that_follows_the_steps(layers):
    viewer = layers._viewer
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, *SHAPE)).astype(np.float32)
    layers.show_taps({"x_t": first})
    layers.show_taps({"x_t": second})
    (layer,) = viewer.layers
    assert layer.name == "low · x_t · tpdm"
    assert layer.data is second
    layers.remove()
    assert not viewer.layers


def test_what_is_zero_where_it_does_nothing_is_shown_symmetric_about_zero():
    array = np.random.default_rng(0).normal(3, 1, SHAPE)
    low, high = tap_look("w", array)["contrast_limits"]
    assert low == -high
    low, high = tap_look("x_t", array)["contrast_limits"]
    assert 0 < low < high


def test_a_run_offers_its_taps_and_shows_the_ticked_ones(make_dock, add_head, qtbot):
    viewer = ViewerModel()
    add_head(viewer, spacing=4.0, shape=(12, 14, 13))

    def translate(request, source, *, reference=None, box=None, cancel=None, folder=None):
        from napari_vol2vol.engine.events import Done, Progress, Started

        array = np.random.default_rng(0).random((24, 28, 26), dtype=np.float32)
        yield Started(1, 3, "cpu", 1)
        for step in (1, 2, 3):
            box.put(Snapshot(1, step, array, None, None, None, {"x_t": array + step, "axial": array}))
            yield Progress(1, step, step / 3, None)
            qtbot_wait()
        yield Done({}, {}, {}, None)

    def qtbot_wait():
        import time

        time.sleep(0.25)

    dock = make_dock(viewer, translate)
    dock.taps.offer(["x_t"])
    dock.taps.choose("x_t")
    qtbot.waitUntil(lambda: dock.bar.run.isEnabled(), timeout=10000)
    dock.run()
    qtbot.waitUntil(lambda: not dock.controller.active, timeout=10000)
    names = [layer.name for layer in viewer.layers]
    assert "T1 low · x_t · score-fusion" in names
    assert "T1 low · axial · score-fusion" not in names
    assert dock.taps.list.count() == 2
