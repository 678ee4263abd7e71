from __future__ import annotations

from pathlib import Path

import pytest
from npe2 import PluginManifest

import napari_vol2vol
from napari_vol2vol.ui import commands, settings, translate_dock
from napari_vol2vol.ui.run_state import RunState
from napari_vol2vol.ui.window_layout import dock_of


@pytest.fixture
def fake_engine(npe2pm, plugin_settings, monkeypatch, fakes, streams):
    npe2pm.register(PluginManifest.from_file(Path(napari_vol2vol.__file__).parent / "napari.yaml"))
    monkeypatch.setattr(translate_dock, "installed", fakes.catalogue)
    monkeypatch.setattr(translate_dock, "_engine_translate", streams(shape=(48, 48, 48)))
    monkeypatch.setattr(translate_dock, "_engine_estimate", fakes.estimate)


def test_the_palette_command_loads_the_sample_and_runs(fake_engine, make_napari_viewer, qtbot):
    viewer = make_napari_viewer()
    dock = commands.run_sample(viewer)
    assert dock_of(dock).windowTitle() == f"Translate ({settings.PLUGIN})"
    assert dock.volumes.reference.layer is viewer.layers["T1 reference"]
    qtbot.waitUntil(lambda: dock.controller.state is RunState.DONE, timeout=20000)
    assert "T1 low · mean · score-fusion" in viewer.layers
    reference, x0 = viewer.layers["T1 reference"], viewer.layers["T1 low · x̂0 · score-fusion"]
    assert list(reference.contrast_limits) == list(x0.contrast_limits)
    viewer.layers.clear()
    dock.close_dock()
