from __future__ import annotations

import gc
import time
import weakref
from dataclasses import replace

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.qt.threading import GeneratorWorker
from qtpy.QtCore import QTimer

from napari_vol2vol.errors import RunError
from napari_vol2vol.ui.layer_volume import set_modality
from napari_vol2vol.ui.run_state import RunState
from napari_vol2vol.ui.session import session_of


@pytest.fixture
def model(make_head):
    viewer = ViewerModel()
    data, keywords, _ = make_head(4.0, shape=(12, 14, 13)).to_layer()
    viewer.add_image(data, **keywords, contrast_limits=(0, 1000))
    return viewer


def run_to_end(dock, qtbot, **choices) -> None:
    for name, value in choices.items():
        getattr(dock.method, name).setValue(value)
    dock.bar.run.click()
    qtbot.waitUntil(lambda: not dock.controller.active, timeout=10000)
    qtbot.wait(20)


def ready(dock, qtbot) -> None:
    qtbot.waitUntil(lambda: "needs" in dock.estimate_line.text(), timeout=10000)


def test_run_is_possible_right_after_loading(model, make_dock, qtbot):
    dock = make_dock(model)
    ready(dock, qtbot)
    assert dock.bar.run.isEnabled()
    assert dock.estimate_line.text() == "needs 1.2 GB · ~1 min · cpu"
    assert "spacing is outside" in dock.warnings.text()
    assert dock.method.steps.value() == 7, "the bundle's own default"


def test_without_a_volume_run_is_greyed_and_says_why(make_dock):
    dock = make_dock(ViewerModel())
    assert not dock.bar.run.isEnabled()
    assert "open a volume" in dock.estimate_line.text()
    assert "open a file" in dock.volumes.volume_row.reason


def test_a_whole_run_streams_layers_and_ends_done(model, make_dock, qtbot):
    dock = make_dock(model)
    ready(dock, qtbot)
    states = []
    dock.controller.state_changed.connect(states.append)
    run_to_end(dock, qtbot, steps=5, samples=3)
    assert states == [RunState.PREPARING, RunState.RUNNING, RunState.DONE]
    words = ["x̂0", "mean", "uncertainty", "error"]
    assert [item.name for item in model.layers][1:] == [f"T1 low · {w} · score-fusion" for w in words]
    assert "PSNR 28.30 dB (mean)" in dock.bar.status.text()
    assert "PSNR" in dock.runs.entries[0].text
    lines = session_of(model).curves.lines
    assert set(lines) == {"residual", "psnr"}
    assert lines["residual"][2].x == [1, 2, 3, 4, 5]


def test_a_runtime_error_ends_in_failed_with_one_sentence_and_details(model, make_dock, streams, qtbot):
    dock = make_dock(model, streams(fail=RuntimeError("CUDA error: out of memory")))
    ready(dock, qtbot)
    run_to_end(dock, qtbot, steps=5)
    assert dock.controller.state is RunState.FAILED
    assert "CUDA error: out of memory" in dock.bar.status.text()
    assert "Traceback" in dock.bar.details.toPlainText()
    assert dock.bar.run.isEnabled()


def test_our_own_errors_stand_alone(model, make_dock, streams, qtbot):
    dock = make_dock(model, streams(fail=RunError("run folder /x: cannot be made (no space left)")))
    ready(dock, qtbot)
    run_to_end(dock, qtbot, steps=5)
    assert dock.bar.status.text() == "run folder /x: cannot be made (no space left)"


def test_cancel_keeps_what_is_finished_and_says_so(model, make_dock, qtbot):
    dock = make_dock(model)
    ready(dock, qtbot)
    dock.method.steps.setValue(5)
    dock.method.samples.setValue(500)
    dock.bar.run.click()
    qtbot.waitUntil(lambda: dock.report._finished_samples >= 2, timeout=10000)
    dock.bar.cancel.click()
    qtbot.waitUntil(lambda: dock.controller.state is RunState.CANCELLED, timeout=5000)
    assert "samples kept" in dock.bar.status.text()
    assert "T1 low · mean · score-fusion" in model.layers
    assert dock.runs.entries[0].outcome == "cancelled"


def test_pause_freezes_and_resume_goes_on(model, make_dock, qtbot):
    dock = make_dock(model)
    ready(dock, qtbot)
    dock.method.steps.setValue(400)
    dock.method.samples.setValue(1)
    dock.bar.run.click()
    qtbot.waitUntil(lambda: dock.controller.state is RunState.RUNNING, timeout=5000)
    dock.bar.pause.click()
    qtbot.waitUntil(lambda: dock.controller.state is RunState.PAUSED, timeout=5000)
    assert dock.bar.pause.text() == "Resume"
    frozen = model.layers[-1].data
    qtbot.wait(300)
    assert model.layers[-1].data is frozen
    dock.bar.pause.click()
    qtbot.waitUntil(lambda: dock.controller.state is RunState.RUNNING, timeout=5000)


def test_a_second_run_makes_new_layers_and_the_list_shows_either(model, make_dock, qtbot):
    dock = make_dock(model)
    ready(dock, qtbot)
    run_to_end(dock, qtbot, steps=2, samples=1)
    dock.bar.again.click()
    qtbot.waitUntil(lambda: dock.controller.state is RunState.DONE, timeout=10000)
    assert "seed 1" in dock.runs.entries[1].text
    assert "T1 low · x̂0 · score-fusion #2" in model.layers
    dock.runs.list.setCurrentRow(0)
    dock.runs.show_current()
    assert model.layers["T1 low · x̂0 · score-fusion"].visible
    assert not model.layers["T1 low · x̂0 · score-fusion #2"].visible
    dock.runs.remove_current()
    assert "T1 low · x̂0 · score-fusion" not in model.layers


def test_what_is_impossible_is_greyed_with_a_reason(model, make_dock):
    dock = make_dock(model)
    systems = dock.method.system
    assert not systems.model().item(1).isEnabled()
    assert "no bundle installed" in systems.itemText(1)
    dock.method.choose_system("trilinear")
    assert dock.method.bundle_row.reason == "Trilinear needs none"
    assert not dock.method.steps.isEnabled()
    assert dock.method.steps_row.reason == "Trilinear is one call"
    assert not dock.more.solver.isEnabled()


def test_simulation_keeps_the_volume_as_reference(model, make_dock, qtbot):
    dock = make_dock(model)
    dock.volumes.simulate.setChecked(True)
    assert "itself is the reference" in dock.volumes.reference_row.reason
    ready(dock, qtbot)
    run_to_end(dock, qtbot, steps=2, samples=1)
    assert dock.controller.state is RunState.DONE, dock.bar.status.text()
    assert "T1 low low" in model.layers
    assert "T1 low low · x̂0 · score-fusion" in model.layers


def test_the_reference_over_the_same_field_of_view_is_proposed(model, make_dock):
    dock = make_dock(model)
    coarse = model.layers[0]
    data = np.repeat(np.repeat(np.repeat(coarse.data, 2, 0), 2, 1), 2, 2)
    model.add_image(data, name="other place", scale=(2, 2, 2), contrast_limits=(0, 1))
    assert dock.volumes.reference.layer is None
    model.add_image(
        data, name="truth", scale=(2, 2, 2), translate=coarse.translate - 1, contrast_limits=(0, 1)
    )
    assert dock.volumes.reference.layer is model.layers["truth"]


def test_choices_survive_renamed_and_removed_layers(model, make_dock):
    dock = make_dock(model)
    model.layers[0].name = "renamed"
    assert dock.volumes.volume.currentText() == "renamed"
    model.layers.clear()
    assert dock.volumes.volume.layer is None
    assert not dock.bar.run.isEnabled()


def test_fields_make_a_valid_request(model, make_dock):
    from napari_vol2vol.engine import request
    from napari_vol2vol.ui import more_fields

    dock = make_dock(model)
    assert request.Translation(**dock.values()).bundle == "brain-t1-x4"
    assert more_fields.SOLVERS == request.SOLVERS
    assert more_fields.PRECISIONS == request.PRECISIONS


def test_closing_the_viewer_while_sampling_frees_the_run(
    make_napari_viewer, make_dock, streams, add_head, qtbot
):
    viewer = make_napari_viewer()
    add_head(viewer)
    translate = streams()
    dock = make_dock(viewer, translate)
    viewer.window.add_dock_widget(dock, name="Translate", area="right")
    dock.method.steps.setValue(1000)
    dock.run()
    qtbot.waitUntil(lambda: dock.controller.state is RunState.RUNNING, timeout=5000)
    gone = weakref.ref(dock)
    begin = time.monotonic()
    dock = None
    viewer.close()
    qtbot.waitUntil(lambda: bool(translate.closed), timeout=5000)
    assert time.monotonic() - begin < 2
    qtbot.waitUntil(lambda: not GeneratorWorker._worker_set, timeout=5000)
    gc.collect()
    assert gone() is None


def test_closing_the_dock_while_sampling_ends_the_run(
    make_napari_viewer, make_dock, streams, add_head, qtbot
):
    viewer = make_napari_viewer()
    add_head(viewer)
    translate = streams()
    dock = make_dock(viewer, translate)
    viewer.window.add_dock_widget(dock, name="Translate", area="right")
    qtbot.wait(10)
    dock.show()
    dock.method.steps.setValue(1000)
    dock.run()
    qtbot.waitUntil(lambda: dock.controller.state is RunState.RUNNING, timeout=5000)
    viewer.window.remove_dock_widget(dock)
    dock.close_dock()
    qtbot.waitUntil(lambda: bool(translate.closed), timeout=5000)


def test_the_interface_stays_alive_while_steps_rush_by(model, make_dock, streams, qtbot):
    """10,000 steps without a pause: nothing is queued, and a heartbeat keeps beating."""
    dock = make_dock(model, streams(pause=0.0))
    ready(dock, qtbot)
    beats = []
    heart = QTimer(interval=5)
    heart.timeout.connect(lambda: beats.append(time.perf_counter()))
    heart.start()
    dock.method.steps.setValue(1000)
    dock.method.samples.setValue(10)
    dock.bar.run.click()
    qtbot.waitUntil(lambda: not dock.controller.active, timeout=30000)
    heart.stop()
    gaps = 1000 * np.diff(beats)
    assert np.percentile(gaps, 95) < 250
    assert gaps.max() < 3000


def test_the_modality_of_the_volume_is_shown_and_what_is_chosen_is_kept_with_the_layer(model, make_dock):
    dock = make_dock(model)
    layer = dock.volumes.volume.layer
    assert dock.volumes.modality.currentText() == (layer.metadata["vol2vol"]["modality"] or "unknown")
    dock.volumes.modality.setCurrentText("T2w")
    dock.volumes.modality.activated.emit(dock.volumes.modality.currentIndex())
    assert dock.volumes.source_volume().modality == "T2w"
    assert layer.metadata["vol2vol"]["modality"] == "T2w"


def test_a_bundle_that_wants_another_modality_blocks_run_until_it_is_there(
    model, make_dock, make_head, streams, qtbot
):
    seen = {}
    stream = streams()

    def translate(request, source, **options):
        seen.update(options.pop("conditions", {}))
        return stream(request, source, **options)

    dock = make_dock(model, translate)
    dock.method._catalogue = replace(dock.method._catalogue, inputs_of=lambda card: ("base", "T1ce"))
    dock._on_changed()
    assert not dock.bar.run.isEnabled()
    assert "choose the T1ce layer" in dock.estimate_line.text()
    data, keywords, _ = make_head(1.0, shape=(24, 28, 26)).to_layer()
    layer = model.add_image(data, **{**keywords, "name": "post contrast"})
    set_modality(layer, "T1ce")
    dock.conditions.ask_for(["T1ce"], may_resample=True)
    assert dock.conditions.choices["T1ce"].layer is layer
    ready(dock, qtbot)
    run_to_end(dock, qtbot, steps=3)
    assert dock.controller.state is RunState.DONE
    assert list(seen) == ["T1ce"]
    assert seen["T1ce"].shape == (24, 28, 26)
