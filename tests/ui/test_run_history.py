from __future__ import annotations

import json

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_vol2vol.errors import VolumeError
from napari_vol2vol.io import write_volume
from napari_vol2vol.ui.run_history import read_run
from napari_vol2vol.volume import Volume

SHAPE = (6, 7, 8)


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("sample-01", "sample-02", "mean", "uncertainty"):
        data = rng.random(SHAPE).astype(np.float32)
        write_volume(Volume.from_array(data, (3, 2, 2)), tmp_path / f"{name}.nii.gz")
    record = {"state": "done", "system": "tpdm", "inputs": [{"name": "T1 low"}]}
    (tmp_path / "run.json").write_text(json.dumps(record))
    return tmp_path


def test_a_run_of_an_earlier_session_comes_back_as_its_layers(make_dock, folder, qtbot):
    viewer = ViewerModel()
    dock = make_dock(viewer)
    dock.opening.open(folder)
    qtbot.waitUntil(lambda: len(viewer.layers) == 3, timeout=10000)
    names = [layer.name for layer in viewer.layers]
    assert names == ["T1 low · x̂0 · tpdm", "T1 low · mean · tpdm", "T1 low · uncertainty · tpdm"]
    np.testing.assert_allclose(viewer.layers[0].scale, (3, 2, 2))
    assert dock.runs.entries[0].text.endswith("tpdm · done")
    dock.runs.remove_button.click()
    assert not viewer.layers


def test_a_folder_without_a_run_is_said_in_one_sentence(make_dock, tmp_path, qtbot):
    dock = make_dock(ViewerModel())
    dock.opening.open(tmp_path)
    qtbot.waitUntil(lambda: "found no run here" in dock.bar.status.text(), timeout=10000)


def test_a_run_without_a_finished_sample_says_so(folder):
    for path in folder.glob("sample-*"):
        path.unlink()
    with pytest.raises(VolumeError, match="no sample of this run was finished"):
        read_run(folder)
