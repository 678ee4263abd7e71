from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import QPointF, Qt
from qtpy.QtTest import QTest

from napari_vol2vol.ui.coherence_dock import CoherenceDock
from napari_vol2vol.ui.profile_plot import ProfilePlot, band_of
from napari_vol2vol.volume import Volume

BAD = 14


def ball(seed: int, name: str, shape=(32, 40, 44)) -> Volume:
    rng = np.random.default_rng(seed)
    z, y, x = np.meshgrid(*[np.linspace(-1, 1, n) for n in shape], indexing="ij")
    body = np.where(z**2 + y**2 + x**2 < 0.8, 100 + 20 * np.sin(5 * x) * np.cos(4 * y), 0)
    data = (body + rng.normal(0, 3, body.shape)).astype(np.float32)
    if name == "bad":
        data[BAD] += 12
    return Volume.from_array(data, (2.0, 2.0, 2.0), name=name)


@pytest.fixture
def dock(qtbot):
    viewer = ViewerModel()
    for seed, name in enumerate(("bad", "reference")):
        data, keywords, _ = ball(seed, name).to_layer()
        viewer.add_image(data, **keywords)
    widget = CoherenceDock(viewer)
    qtbot.addWidget(widget)
    widget.reference.choose(viewer.layers["reference"])
    yield widget
    widget.close_dock()


def look(dock, qtbot):
    dock.look.click()
    qtbot.waitUntil(lambda: dock.result is not None, timeout=20000)


def test_a_bad_slice_is_listed_and_a_click_brings_the_views_there(dock, qtbot):
    look(dock, qtbot)
    texts = [dock.findings.item(i).text() for i in range(dock.findings.count())]
    (row,) = [i for i, text in enumerate(texts) if f"slices {BAD}" in text]
    dock.findings.itemClicked.emit(dock.findings.item(row))
    layer = dock.viewer.layers["bad"]
    assert dock.viewer.dims.point[0] == pytest.approx(layer.translate[0] + BAD * layer.scale[0])
    assert dock.plots["median"].marked == BAD


def test_a_click_on_a_profile_brings_the_views_to_that_slice(dock, qtbot):
    look(dock, qtbot)
    plot = dock.plots["difference"]
    plot.resize(400, 120)
    box = plot._box()
    QTest.mouseClick(
        plot, Qt.MouseButton.LeftButton, pos=QPointF(box.center().x(), box.center().y()).toPoint()
    )
    assert abs(plot.marked - 15) <= 1


def test_without_another_layer_as_reference_nothing_can_be_judged(dock):
    dock.reference.choose(dock.viewer.layers["bad"])
    assert not dock.look.isEnabled()
    assert "another layer" in dock.status.text()


def test_a_reference_on_another_grid_is_refused_with_its_name(dock, qtbot):
    data, keywords, _ = ball(3, "short", (30, 40, 44)).to_layer()
    dock.reference.choose(dock.viewer.add_image(data, **keywords))
    dock.look.click()
    qtbot.waitUntil(lambda: "short" in dock.status.text(), timeout=20000)
    assert dock.look.isEnabled()


def test_seams_come_from_the_record_of_the_run(dock, qtbot, monkeypatch):
    """Slabs of 8 slices whose last stands out by a step at its seam."""
    from napari_vol2vol.evaluation import seams

    monkeypatch.setattr(seams, "_multiple", lambda record: 4)
    layer = dock.viewer.layers["bad"]
    look(dock, qtbot)
    assert "no slabs on record" in dock.status.text()
    data = np.array(dock.viewer.layers["reference"].data)
    layer.data = data + np.where(np.arange(len(data)) >= 16, 6, 0)[:, None, None].astype(np.float32)
    record = {"memory_plan": {"slab": 16}, "inputs": [{"shape_zyx": list(data.shape)}]}
    layer.metadata["vol2vol"] = {**layer.metadata["vol2vol"], "provenance": record}
    dock.look.click()
    qtbot.waitUntil(lambda: "seams of slabs at 16" in dock.status.text(), timeout=20000)
    assert any(f.panel == "boundaries" and f.slices == (16,) for f in dock.result.findings)


def test_the_shimmer_map_becomes_a_layer(dock, qtbot):
    dock.shimmer.click()
    qtbot.waitUntil(lambda: len(dock.viewer.layers) == 3, timeout=20000)
    assert dock.viewer.layers[-1].name == "bad · shimmer axial"


def test_the_band_holds_a_smooth_profile_with_its_noise():
    rng = np.random.default_rng(0)
    values = (np.linspace(0, 1, 80) + rng.normal(0, 0.1, 80)).astype(np.float32)
    low, high = band_of(values)
    assert ((values >= low) & (values <= high)).mean() > 0.85


def test_profiles_paint_with_gaps(qtbot):
    plot = ProfilePlot("title")
    qtbot.addWidget(plot)
    values = np.linspace(0, 1, 30).astype(np.float32)
    values[[0, 7]] = np.nan
    plot.set_profiles(values, values, 1.0, (3,))
    plot.resize(300, 120)
    picture = plot.grab().toImage()
    colours = {picture.pixelColor(x, y).name() for x in range(0, 300, 2) for y in range(0, 120, 2)}
    assert len(colours) > 5
