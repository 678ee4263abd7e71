"""States, curves, a second run and going on: what a run recorded with its state adds to the dock."""

from __future__ import annotations

import json

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_vol2vol.errors import SettingsError, VolumeError
from napari_vol2vol.evaluation.recorded_run import open_trajectory, without_margin
from napari_vol2vol.ui.fill_translate import fill
from napari_vol2vol.ui.session import session_of
from napari_vol2vol.ui.trajectory_dock import TrajectoryDock
from napari_vol2vol.volume import pad_to_multiple

SHAPE = (6, 8, 8)
SETTINGS = {"system": "score-fusion", "steps": 7, "seed": 5, "eta": 0.5, "consistency": False}


def record(folder, steps=4, *, state=True, value=0.0, settings=SETTINGS):
    """Write what a run of the engine leaves: x̂0 counts the steps, x_t is ten times that."""
    inner = folder / "trajectory"
    inner.mkdir(parents=True)
    lines = []
    for step in range(1, steps + 1):
        stem = f"sample-01-step-{step:03d}"
        np.save(inner / f"{stem}.npy", np.full(SHAPE, value + step, np.float16))
        if state:
            margin = np.pad(np.full(SHAPE, 10.0 * step, np.float32), 1)
            np.save(inner / f"{stem}-x_t.npy", margin)
            np.save(inner / f"{stem}-noise.npy", -margin.astype(np.float16))
        alpha = step / (steps + 1)
        facts = {"sample": 1, "step": step, "t": 1 - (step - 1) / steps, "alpha": alpha,
                 "sigma": (1 - alpha**2) ** 0.5, "residual": 1 / step, "psnr": 20.0 + step}  # fmt: skip
        lines.append(json.dumps(facts))
    (inner / "steps.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "run.json").write_text(json.dumps({"state": "done", "settings": settings}))
    return folder


@pytest.fixture
def dock(qtbot):
    widget = TrajectoryDock(ViewerModel())
    qtbot.addWidget(widget)
    yield widget
    widget.close_dock()


def show(dock, kind):
    dock.what.setCurrentIndex(dock.what.findData(kind))


def test_the_state_and_the_noise_are_shown_without_the_margin(dock, tmp_path):
    dock.open_folder(record(tmp_path / "run"))
    dock.slider.setValue(3)
    assert dock.layer.data[0, 0, 0] == 3
    for kind, value in (("x_t", 30), ("noise", -30)):
        show(dock, kind)
        assert dock.layer.data.shape == SHAPE
        np.testing.assert_array_equal(dock.layer.data, value)
    assert [layer.visible for layer in dock.viewer.layers] == [False, False, True]
    show(dock, "")
    assert [layer.visible for layer in dock.viewer.layers] == [True, False, False]


@pytest.mark.parametrize("extra", range(6))
def test_the_margin_is_cut_where_a_task_put_it(extra):
    block, low = 4, np.arange(5.0)
    padded, _ = pad_to_multiple(low[:, None, None], 1, minimum=(5 + extra, 1, 1))
    fine = np.repeat(padded, block, axis=0)
    cut = without_margin(fine, (20, 1, 1), (block, 1, 1))
    np.testing.assert_array_equal(cut[:, 0, 0], np.repeat(low, block))


def test_what_was_not_recorded_is_greyed_with_the_reason(dock, tmp_path):
    dock.open_folder(record(tmp_path / "run", state=False))
    assert not dock.what.isEnabled()
    assert "tick Record state under More" in dock.what_row.reason
    assert not dock.resume.isEnabled()
    with pytest.raises(VolumeError, match="was not recorded with x_t"):
        open_trajectory(tmp_path / "run").array(1, 2, "x_t")


def test_the_curves_are_those_that_were_recorded_with_a_dot_at_the_slider(dock, tmp_path):
    dock.open_folder(record(tmp_path / "run"))
    dock.slider.setValue(2)
    schedule = dock.plots.lines["Noise schedule"]
    assert [line.name for line in schedule] == ["ᾱ(t)", "", "σ(t)", ""]
    np.testing.assert_allclose(schedule[0].y, [(s / 5) ** 2 for s in range(1, 5)])
    (psnr, dot) = dock.plots.lines["PSNR of x̂0 in dB"]
    assert list(psnr.y) == [21, 22, 23, 24]
    assert (dot.x, dot.y) == ([2], [22])
    assert "t 0.750 · residual 5.0e-01 · PSNR 22.00 dB" in dock.status.text()


def test_a_second_run_goes_in_step_with_the_first(dock, tmp_path):
    dock.open_folder(record(tmp_path / "one", steps=7))
    dock.open_second(record(tmp_path / "two", steps=4, value=100.0))
    for step, beside in ((1, 1), (3, 2), (7, 4)):
        dock.slider.setValue(step)
        assert float(dock.layer.data[0, 0, 0]) == step
        assert float(dock.layer_beside.data[0, 0, 0]) == 100 + beside
    assert [line.dashed for line in dock.plots.lines["PSNR of x̂0 in dB"]] == [False, False, True, False]
    dock.open_second(None)
    assert [layer.visible for layer in dock.viewer.layers] == [True, False]
    assert len(dock.plots.lines["PSNR of x̂0 in dB"]) == 2


def test_resume_fills_the_translate_dock_with_the_settings_of_the_run(make_dock, tmp_path, qtbot):
    viewer = ViewerModel()
    translate = make_dock(viewer)
    dock = TrajectoryDock(viewer)
    qtbot.addWidget(dock)
    folder = record(tmp_path / "run")
    dock.open_folder(folder)
    dock.slider.setValue(3)
    dock.resume.click()
    values = translate.values()
    wanted = {"resume": str(folder), "resume_sample": 1, "resume_step": 3, "samples": 1, "steps": 5,
              "seed": 5, "eta": 0.5, "consistency": False}  # fmt: skip
    assert {name: values[name] for name in wanted} == wanted
    assert "step 3" in translate.more.resume.label.text()
    translate.more.resume.clear.click()
    assert "resume" not in translate.values()
    dock.close_dock()


def test_resume_without_a_translate_dock_or_its_system_is_one_sentence(dock, make_dock, tmp_path):
    dock.open_folder(record(tmp_path / "run", settings={"system": "palette"}))
    dock.resume.click()
    assert dock.status.text() == "Resume: open the Translate dock first"
    session_of(dock.viewer).docks["Translate"] = other = make_dock(dock.viewer)
    dock.resume.click()
    assert "Resume: system: found palette, accepted here are score-fusion, trilinear" in dock.status.text()
    assert "resume" not in other.values()


def test_the_state_is_recorded_only_with_a_recording(make_dock):
    dock = make_dock(ViewerModel())
    fill(dock, {"record_state": True})
    assert not dock.more.record_state.isEnabled()
    assert dock.values()["record_state"] is False
    fill(dock, {"record_trajectory_mib": 64})
    assert dock.values()["record_state"] is True


def test_unknown_settings_are_named_with_those_that_exist(make_dock):
    with pytest.raises(SettingsError, match="settings: found stpes; accepted are task, system"):
        fill(make_dock(ViewerModel()), {"stpes": 4})


def test_the_same_run_opened_again_keeps_its_layer(dock, tmp_path):
    folder = record(tmp_path / "run")
    dock.open_folder(folder)
    dock.open_folder(folder)
    assert len(dock.viewer.layers) == 1
