from __future__ import annotations

import time

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_vol2vol.errors import VolumeError
from napari_vol2vol.evaluation.recorded_run import open_trajectory
from napari_vol2vol.io import write_volume
from napari_vol2vol.ui.result_layers import ResultLayers
from napari_vol2vol.ui.runs_list import RunEntry
from napari_vol2vol.ui.session import session_of
from napari_vol2vol.ui.trajectory_dock import TrajectoryDock
from napari_vol2vol.volume import Volume

SHAPE = (6, 7, 8)
STEPS = 5


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "trajectory").mkdir()
    for sample in (1, 2):
        for step in range(1, STEPS + 1):
            array = np.full(SHAPE, 100 * sample + 10 * step, np.float16)
            array[0] = 0
            np.save(tmp_path / "trajectory" / f"sample-{sample:02d}-step-{step:03d}.npy", array)
    write_volume(Volume.from_array(array.astype(np.float32), (3, 2, 2)), tmp_path / "sample-01.nii.gz")
    (tmp_path / "run.json").write_text('{"state": "done"}')
    return tmp_path


@pytest.fixture
def dock(qtbot):
    widget = TrajectoryDock(ViewerModel())
    qtbot.addWidget(widget)
    yield widget
    widget.close_dock()


def shown(dock):
    return float(dock.layer.data[-1, -1, -1])


def test_the_slider_shows_each_recorded_step_on_the_grid_of_the_result(dock, folder):
    dock.open_folder(folder)
    assert shown(dock) == 110
    np.testing.assert_allclose(dock.layer.scale, (3, 2, 2))
    dock.slider.setValue(4)
    assert shown(dock) == 140
    assert "step 4 of 5" in dock.status.text()
    dock.sample.setCurrentText("2")
    assert shown(dock) == 210
    assert len(dock.viewer.layers) == 1


def test_play_goes_on_to_the_last_step_and_stops(dock, folder, qtbot):
    dock.open_folder(folder)
    dock.speed.setCurrentText("fast")
    dock.play.setChecked(True)
    qtbot.waitUntil(lambda: not dock.play.isChecked(), timeout=10000)
    assert shown(dock) == 150


def test_a_recorded_run_of_the_session_is_opened_by_itself(folder, qtbot):
    viewer = ViewerModel()
    source = Volume.from_array(np.zeros(SHAPE, np.float32), name="low")
    session_of(viewer).runs.append(RunEntry("#1", ResultLayers(viewer, source, "tpdm", []), folder, "done"))
    dock = TrajectoryDock(viewer)
    qtbot.addWidget(dock)
    assert shown(dock) == 110
    dock.close_dock()


def test_a_run_that_was_not_recorded_says_what_to_set(dock, tmp_path):
    dock.open_folder(tmp_path)
    assert "set Record under More" in dock.status.text()
    assert not dock.slider.isEnabled()


def test_a_broken_step_is_one_sentence_and_the_last_picture_stays(dock, folder):
    dock.open_folder(folder)
    (folder / "trajectory" / "sample-01-step-003.npy").write_bytes(b"not numpy")
    dock.slider.setValue(3)
    assert "cannot be read" in dock.status.text()
    assert shown(dock) == 110
    with pytest.raises(VolumeError, match="step 9 of sample 1 was not recorded"):
        open_trajectory(folder).array(1, 9)


def test_scrubbing_a_whole_head_takes_less_than_60_ms_a_step(dock, tmp_path):
    (tmp_path / "trajectory").mkdir()
    array = np.random.default_rng(0).random((152, 192, 192)).astype(np.float16)
    for step in range(1, 9):
        np.save(tmp_path / "trajectory" / f"sample-01-step-{step:03d}.npy", array)
    dock.open_folder(tmp_path)
    times = []
    for step in range(2, 9):
        begin = time.perf_counter()
        dock.slider.setValue(step)
        times.append(time.perf_counter() - begin)
    assert np.median(times) < 0.2  # 60 ms on a quiet machine; tests share theirs
