from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from PIL import Image

from napari_vol2vol.io import write_volume
from napari_vol2vol.ui.export_button import OFFERED, ExportButton
from napari_vol2vol.ui.trajectory_dock import TrajectoryDock
from napari_vol2vol.volume import Volume


@pytest.fixture
def folder(tmp_path):
    run = tmp_path / "run"
    (run / "trajectory").mkdir(parents=True)
    data = np.random.default_rng(0).random((6, 7, 8)).astype(np.float32)
    write_volume(Volume.from_array(data, (3, 2, 2)), run / "sample-01.nii.gz")
    for step in (1, 2):
        np.save(run / "trajectory" / f"sample-01-step-{step:03d}.npy", (step * data).astype(np.float16))
    (run / "run.json").write_text('{"state": "done", "system": "tpdm", "inputs": [{"name": "T1"}]}')
    return run


def said(button, output, qtbot):
    texts = []
    button.said.connect(texts.append)
    button.export(output)
    qtbot.waitUntil(lambda: button.isEnabled() and len(texts) > 1, timeout=10000)
    return texts[-1]


@pytest.mark.parametrize("suffix", [".png", ".gif", ".html"])
def test_the_button_writes_what_the_name_says(folder, tmp_path, qtbot, suffix):
    button = ExportButton(lambda: folder)
    qtbot.addWidget(button)
    path = tmp_path / f"a{suffix}"
    assert said(button, path, qtbot) == f"wrote {path}"
    assert path.stat().st_size > 500
    assert suffix in OFFERED.values()


def test_an_error_is_one_sentence_and_the_button_comes_back(folder, tmp_path, qtbot):
    button = ExportButton(lambda: folder)
    qtbot.addWidget(button)
    text = said(button, tmp_path / "a.csv", qtbot)
    assert text.startswith("Export: curves: found none in run run")
    assert button.isEnabled()


def test_the_trajectory_dock_exports_a_film_of_the_run_it_shows(folder, tmp_path, qtbot):
    dock = TrajectoryDock(ViewerModel())
    qtbot.addWidget(dock)
    dock.export.export(tmp_path / "none.gif")
    assert dock.status.text() == "Export: choose a run first"
    dock.open_folder(folder)
    said(dock.export, tmp_path / "a.gif", qtbot)
    with Image.open(tmp_path / "a.gif") as film:
        assert film.n_frames == 2
    dock.close_dock()


def test_a_run_in_the_list_can_be_exported_when_it_has_ended(make_dock, folder, qtbot):
    dock = make_dock(ViewerModel())
    assert dock.runs.export.isHidden()
    dock.opening.open(folder)
    qtbot.waitUntil(lambda: bool(dock.runs.entries), timeout=10000)
    assert dock.runs.export.isEnabled()
    dock.runs.entries[0].outcome = "running"
    dock.runs.refresh()
    assert not dock.runs.export.isEnabled()
