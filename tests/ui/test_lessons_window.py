"""Lessons in a real window: the plugin's own docks are opened."""

from __future__ import annotations

from pathlib import Path

import pytest
from npe2 import PluginManifest
from superqt.utils import WorkerBase

import napari_vol2vol
from napari_vol2vol.ui.lessons_dock import LessonsDock
from napari_vol2vol.ui.session import session_of
from napari_vol2vol.ui.settings import PLUGIN
from napari_vol2vol.ui.window_layout import dock_of


@pytest.fixture
def viewer(npe2pm, plugin_settings, make_napari_viewer):
    npe2pm.register(PluginManifest.from_file(Path(napari_vol2vol.__file__).parent / "napari.yaml"))
    yield make_napari_viewer()
    WorkerBase.await_workers(5000)


def test_a_lesson_opens_samples_and_docks_once(viewer, qtbot):
    lessons = viewer.window.add_plugin_dock_widget(PLUGIN, "Lessons")[1]
    assert isinstance(lessons, LessonsDock)
    for _ in range(2):
        lessons.do.click()
        assert lessons.status.text() == "done"
    assert [layer.name for layer in viewer.layers] == ["T1 low", "T1 reference"]
    docks = session_of(viewer).docks
    assert dock_of(docks["Translate"]) is not None
    assert docks["Translate"].volumes.volume.layer is viewer.layers["T1 low"]
    assert docks["Translate"].volumes.reference.layer is viewer.layers["T1 reference"]
    qtbot.waitUntil(lambda: "needs" in docks["Translate"].estimate_line.text(), timeout=30000)
    docks["Translate"].close_dock()
    viewer.layers.clear()


def test_a_dock_that_the_plugin_has_not_is_one_sentence(viewer, tmp_path, qtbot):
    (tmp_path / "a.md").write_text("---\ntitle: T\n---\n## One\n\nText.\n\n```yaml\ndocks: [Nothing]\n```\n")
    lessons = viewer.window.add_plugin_dock_widget(PLUGIN, "Lessons")[1]
    lessons.add_folder(tmp_path)
    lessons.do.click()
    assert "docks: found Nothing, which the plugin has not" in lessons.status.text()
