from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_vol2vol.ui.line_plot import LinePlot, PlotLine
from napari_vol2vol.ui.result_layers import RESULT_KEY
from napari_vol2vol.ui.uncertainty_dock import UncertaintyDock, reliability

SHAPE = (10, 20, 20)


def drawn(samples=5):
    rng = np.random.default_rng(0)
    sigma = rng.uniform(1, 5, SHAPE)
    truth = rng.normal(0, sigma)
    draws = rng.normal(0, sigma, (samples, *SHAPE))
    return draws.mean(0).astype(np.float32), draws.std(0, ddof=1).astype(np.float32), truth.astype(np.float32)


@pytest.fixture
def dock(qtbot):
    viewer = ViewerModel()
    mean, std, truth = drawn()
    viewer.add_image(truth, name="truth")
    viewer.add_image(mean, name="mean", metadata={RESULT_KEY: "mean"})
    viewer.add_image(std, name="std", metadata={RESULT_KEY: "uncertainty"})
    widget = UncertaintyDock(viewer)
    qtbot.addWidget(widget)
    yield widget
    widget.close_dock()


def test_the_layers_of_a_run_are_proposed_and_a_true_posterior_covers_its_levels(dock, qtbot):
    assert (dock.mean.layer.name, dock.std.layer.name, dock.reference.layer.name) == ("mean", "std", "truth")
    dock.measure.click()
    qtbot.waitUntil(lambda: dock.result is not None, timeout=20000)
    for level, share in dock.result.coverage.items():
        assert share == pytest.approx(level, abs=0.03)
    assert "mean absolute calibration error" in dock.words.text()


def test_it_measures_again_while_samples_arrive(dock, qtbot):
    dock.measure.click()
    qtbot.waitUntil(lambda: dock.result is not None, timeout=20000)
    before = dock.result
    dock.viewer.layers["std"].data = dock.viewer.layers["std"].data * 0.1
    qtbot.waitUntil(lambda: dock.result is not before, timeout=20000)
    assert dock.result.coverage[0.95] < before.coverage[0.95]


def test_each_region_gets_a_row(dock, qtbot):
    labels = np.zeros(SHAPE, np.uint8)
    labels[:3], labels[7:] = 1, 2
    dock.viewer.add_labels(labels, name="organs")
    dock.regions.setCurrentText("organs")
    dock.measure.click()
    qtbot.waitUntil(lambda: dock.table.rowCount() == 2, timeout=20000)
    assert dock.table.item(1, 0).text() == "2"


def test_three_different_layers_are_asked_for(dock):
    dock.reference.choose(dock.viewer.layers["mean"])
    assert not dock.measure.isEnabled()
    assert "three layers" in dock.status.text()


def test_a_constant_uncertainty_is_said_in_one_sentence():
    mean, std, truth = drawn()
    assert "std" in reliability(mean, np.ones_like(std), truth, 5, None)


def test_lines_are_painted(qtbot):
    plot = LinePlot("title", "x")
    qtbot.addWidget(plot)
    plot.set_lines([PlotLine("a", (0, 1, 2), (0, float("nan"), 2), dots=True)])
    plot.resize(300, 180)
    picture = plot.grab().toImage()
    assert len({picture.pixelColor(x, y).name() for x in range(0, 300, 3) for y in range(0, 180, 3)}) > 4
