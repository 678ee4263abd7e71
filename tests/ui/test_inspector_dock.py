from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_vol2vol.io import write_volume
from napari_vol2vol.ui.inspector_dock import InspectorDock, describe
from napari_vol2vol.ui.result_layers import ResultLayers
from napari_vol2vol.ui.runs_list import RunEntry
from napari_vol2vol.ui.session import session_of
from napari_vol2vol.volume import Volume

SHAPE = (6, 7, 8)


@pytest.fixture
def viewer(tmp_path):
    model = ViewerModel()
    source = Volume.from_array(np.zeros(SHAPE, np.float32), (2, 2, 2), name="low")
    rng = np.random.default_rng(0)
    draws = rng.normal(100, 10, (5, *SHAPE)).astype(np.float32)
    for number, draw in enumerate(draws, start=1):
        write_volume(source.with_data(draw), tmp_path / f"sample-{number:02d}.nii.gz")
    truth = np.full(SHAPE, 105, np.float32)
    data, keywords, _ = source.with_data(truth, name="truth").to_layer()
    model.add_image(data, **keywords)
    layers = ResultLayers(model, source, "tpdm", [])
    volumes = {"x0": draws[-1], "mean": draws.mean(0), "uncertainty": draws.std(0, ddof=1)}
    layers.show_volumes({k: source.with_data(v) for k, v in volumes.items()})
    session_of(model).runs.append(RunEntry("#1 tpdm", layers, tmp_path, "done"))
    return model, draws


@pytest.fixture
def dock(viewer, qtbot):
    widget = InspectorDock(viewer[0])
    qtbot.addWidget(widget)
    widget.reference.choose(viewer[0].layers["truth"])
    qtbot.waitUntil(lambda: widget.samples is not None, timeout=10000)
    yield widget
    widget.close_dock()


def go(dock, index):
    layer = dock.viewer.layers["truth"]
    dock.viewer.dims.set_point(range(3), layer.translate + layer.scale * index)


def test_the_voxel_under_the_crosshair_is_told_with_units_mean_and_spread(dock, viewer):
    index = np.array((2, 3, 4))
    go(dock, index)
    values = viewer[1][(slice(None), *index)]
    text = dock.text.text()
    assert f"mean {values.mean():.0f} ± " in text or f"mean {values.mean():.1f} ± " in text
    assert "over 5 samples" in text
    assert f"above {(values < 105).sum()} of 5 samples" in text
    assert dock.strip._values == pytest.approx(list(values), abs=0.1)


def test_it_follows_the_crosshair(dock):
    go(dock, (1, 1, 1))
    before = dock.text.text()
    go(dock, (4, 5, 6))
    assert dock.text.text() != before


def test_outside_the_volume_nothing_is_invented(dock):
    dock.viewer.dims.set_point(range(3), (500, 500, 500))
    go(dock, (2, 2, 2))
    assert "mean" in dock.text.text()


def test_which_plane_is_trusted_is_said_in_words():
    lines = describe({"x0": 3.0, "tap w": 0.2, "tap R": -0.01}, [], None, "a.u.", ["axial", "sagittal"])
    assert "fusion weight of the axial plane 0.70: more than its share" in lines
    assert any("residual R" in line for line in lines)


def test_without_a_run_it_says_so(qtbot):
    widget = InspectorDock(ViewerModel())
    qtbot.addWidget(widget)
    assert widget.status.text() == "no run yet"
    widget.close_dock()
