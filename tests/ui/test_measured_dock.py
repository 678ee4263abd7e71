"""The Translate dock on tasks that start from a measurement, with the real engine."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from superqt.utils import WorkerBase

from napari_vol2vol.ui.run_state import RunState
from napari_vol2vol.ui.translate_dock import TranslateDock
from napari_vol2vol.volume import Volume


@pytest.fixture
def viewer():
    z, y, x = np.meshgrid(*[np.linspace(-1, 1, n) for n in (3, 24, 28)], indexing="ij")
    inside = y**2 + x**2 < 0.6
    hu = np.where(inside, 40 + 200 * (np.abs(x) < 0.2) + 0 * z, -1000).astype(np.float32)
    model = ViewerModel()
    data, keywords, _ = Volume.from_array(hu, (3, 2, 2), modality="CT", units="HU", name="body").to_layer()
    model.add_image(data, **keywords)
    return model


@pytest.fixture
def dock(viewer, qtbot):
    widget = TranslateDock(viewer)
    qtbot.addWidget(widget)
    widget.more.device.setCurrentText("cpu")
    widget.method.task.setCurrentIndex(widget.method.task.findData("sparse-view-ct"))
    widget.method.choose_system("admm-tv")
    yield widget
    widget.close_dock()
    WorkerBase.await_workers(5000)


def ready(dock, qtbot):
    qtbot.waitUntil(lambda: "needs" in dock.estimate_line.text(), timeout=20000)


def run(dock, qtbot):
    ready(dock, qtbot)
    dock.run()
    qtbot.waitUntil(lambda: not dock.controller.active, timeout=60000)
    assert dock.controller.state is RunState.DONE, dock.bar.status.text()


def test_without_a_measurement_run_is_greyed_and_says_what_helps(dock, qtbot):
    assert not dock.bar.run.isEnabled()
    assert "tick Simulate" in dock.estimate_line.text()


def test_simulation_fields_appear_with_the_box_and_reach_the_measurement(dock, viewer, qtbot):
    assert dock.volumes.simulation.isHidden()
    dock.volumes.simulate.setChecked(True)
    assert not dock.volumes.simulation.isHidden()
    dock.volumes.simulation.fields["views"].editor.setValue(7)
    run(dock, qtbot)
    (sinogram,) = [layer for layer in viewer.layers if "sinogram" in layer.name]
    assert sinogram.data.shape[:2] == (3, 7)
    assert not sinogram.visible
    assert "PSNR" in dock.bar.status.text()


def test_a_sinogram_fills_the_field_of_view_of_its_slices(dock, viewer, qtbot):
    dock.volumes.simulate.setChecked(True)
    run(dock, qtbot)
    (sinogram,) = [layer for layer in viewer.layers if "sinogram" in layer.name]
    body = viewer.layers["body"]
    low = [layer.translate - layer.scale / 2 for layer in (sinogram, body)]
    size = [layer.scale * layer.data.shape for layer in (sinogram, body)]
    np.testing.assert_allclose(low[0], low[1])
    np.testing.assert_allclose(size[0], size[1])


def test_the_measured_layer_serves_the_next_system_without_a_simulation(dock, viewer, qtbot):
    dock.volumes.simulate.setChecked(True)
    run(dock, qtbot)
    (measured,) = [
        layer for layer in viewer.layers if layer.metadata["vol2vol"].get("measured") is not None
        and "vol2vol_result" not in layer.metadata
    ]  # fmt: skip
    dock.volumes.simulate.setChecked(False)
    dock.volumes.volume.choose(measured)
    dock.volumes.reference.choose(viewer.layers["body"])
    dock.method.choose_system("fbp")
    run(dock, qtbot)
    assert any(layer.name.endswith("x̂0 · fbp") for layer in viewer.layers)


def test_options_of_the_system_reach_the_request(dock):
    field = dock.options.fields["tv_weight"]
    if field.auto is not None:
        field.auto.setChecked(False)
    field.editor.setValue(0.02)
    assert dock.values()["options"]["tv_weight"] == pytest.approx(0.02)
    dock.method.choose_system("fbp")
    assert "options" not in dock.values() or "tv_weight" not in dock.values()["options"]


def test_a_sinogram_from_a_file_becomes_the_volume_of_the_run(dock, viewer, qtbot, tmp_path):
    path = tmp_path / "scan.npy"
    np.save(path, np.random.default_rng(0).random((2, 9, 31), np.float32))
    dock.loading.read(dock.method.task_object, path, {})
    qtbot.waitUntil(lambda: dock.volumes.volume.layer.name.startswith("scan"), timeout=20000)
    run(dock, qtbot)


def test_a_file_without_a_sinogram_is_said_in_one_sentence(dock, qtbot, tmp_path):
    path = tmp_path / "scan.npy"
    np.save(path, np.zeros(4, np.float32))
    with qtbot.waitSignal(dock.loading.failed, timeout=20000) as said:
        dock.loading.read(dock.method.task_object, path, {})
    assert "scan.npy" in said.args[0]


def test_the_prior_is_the_one_that_fits_the_image_unless_one_is_chosen(dock):
    dock.method.choose_system("dds")
    assert "Automatic" in dock.method.bundle.itemText(0)
    assert dock.method.values()["bundle"] is None  # the engine knows the channels of what was measured
    assert dock.method.choose_bundle("ellipses-prior")
    assert dock.method.values()["bundle"] == "ellipses-prior"
    assert dock.method.card.name == "ellipses-prior"
