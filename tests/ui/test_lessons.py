"""Every lesson is played from its first page to its last, with the engine, on small volumes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from napari.components import ViewerModel
from npe2 import PluginManifest
from superqt.utils import WorkerBase

import napari_vol2vol
from napari_vol2vol.errors import SettingsError
from napari_vol2vol.grid import regridded
from napari_vol2vol.ui import sample_data, settings
from napari_vol2vol.ui.compare_dock import CompareDock
from napari_vol2vol.ui.lessons import lesson_files, own_lessons, read_lesson
from napari_vol2vol.ui.lessons_dock import LessonsDock
from napari_vol2vol.ui.session import session_of
from napari_vol2vol.ui.trajectory_dock import TrajectoryDock
from napari_vol2vol.ui.translate_dock import TranslateDock
from napari_vol2vol.ui.uncertainty_dock import UncertaintyDock
from napari_vol2vol.volume import Volume

DOCKS = {"Translate": TranslateDock, "Trajectory": TrajectoryDock, "Compare": CompareDock,
         "Uncertainty": UncertaintyDock}  # fmt: skip
TITLES = ("Sampling is denoising", "Why average scores and not samples", "What consistency does",
          "Sparse views and a wrong prior", "What uncertainty is not")  # fmt: skip
MINIMAL = "---\ntitle: Mine\n---\n## One\n\nText.\n"


def smaller(file_name, layer_name, open_sample=sample_data.open_sample):
    """The middle of a sample; a torso is thinned out instead."""
    ((data, keywords, kind),) = open_sample(file_name, layer_name)
    volume = Volume.from_layer(data, keywords["scale"], keywords["translate"], keywords["metadata"])
    if "torso" in file_name:
        part, factor = volume.data[:, ::4, ::4], (1.0, 4.0, 4.0)
    else:
        n = 8 if "low" in file_name else 32
        part, factor = volume.data[:n, :n, :n], (1.0, 1.0, 1.0)
    volume = volume.with_data(part.copy(), affine=regridded(volume.affine, factor), name=layer_name)
    data, own, kind = volume.to_layer()
    return [(data, {**own, "contrast_limits": keywords["contrast_limits"]}, kind)]


@pytest.fixture
def play(npe2pm, monkeypatch, tmp_path, qtbot):
    """Return a function that makes a dock whose docks open without a window."""
    npe2pm.register(PluginManifest.from_file(Path(napari_vol2vol.__file__).parent / "napari.yaml"))
    monkeypatch.setattr(sample_data, "open_sample", smaller)
    monkeypatch.setattr(settings, "lessons_folder", lambda: tmp_path / "mine")
    opened = []

    def make():
        viewer = ViewerModel()

        def open_dock(name):
            widget = DOCKS[name](viewer) if name in DOCKS else LessonsDock(viewer)
            if name == "Translate":
                widget.more.device.setCurrentText("cpu")
            qtbot.addWidget(widget)
            opened.append(widget)
            return widget

        dock = LessonsDock(viewer, open_dock)
        qtbot.addWidget(dock)
        opened.append(dock)
        return dock

    yield make
    for widget in opened:
        widget.close_dock()
    WorkerBase.await_workers(5000)


def do(dock, qtbot):
    """Press *Do it* and return whether the step was done."""
    with qtbot.waitSignal(dock.runner.finished, timeout=60000) as ended:
        dock.do.click()
    return ended.args[0]


def test_the_lessons_are_those_that_were_promised_in_order(play):
    assert tuple(read_lesson(p).title for p in lesson_files(own_lessons())) == TITLES
    dock = play()
    assert [dock.lessons.itemText(i).split(" (")[0] for i in range(5)] == list(TITLES)


@pytest.mark.parametrize("number", range(len(TITLES)))
def test_every_page_can_be_done(number, play, qtbot):
    dock = play()
    dock.lessons.setCurrentIndex(number)
    for index, step in enumerate(dock.lesson.steps):
        assert step.text
        assert dock.page.toPlainText().startswith(step.title)
        if step.actions:
            assert do(dock, qtbot), f"{step.title}: {dock.status.text()}"
        if "show" in step.actions:
            shown = [la for la in dock.viewer.layers if la.visible and "vol2vol_result" in la.metadata]
            assert [la.metadata["vol2vol_result"] for la in shown] == [step.actions["show"]]
        assert dock.next.isEnabled() == (index + 1 < len(dock.lesson.steps))
        dock.next.click()
    assert len({layer.name for layer in dock.viewer.layers}) == len(dock.viewer.layers)


def test_the_first_lesson_shows_noise_first_and_texture_last(play, qtbot):
    dock = play()
    shown = {}
    for _ in range(6):
        assert do(dock, qtbot), dock.status.text()
        trajectory = session_of(dock.viewer).docks.get("Trajectory")
        if trajectory is not None:
            action = dock.lesson.steps[dock.index].actions["trajectory"]
            shown[action["show"], action["step"]] = np.array(trajectory.layer.data)
        dock.next.click()
    assert abs(float(shown["x_t", 1].std()) - 1) < 0.05
    rough = {key: float(np.abs(np.diff(a, n=2, axis=0)).mean()) for key, a in shown.items()}
    assert rough["x0", 20] > 1.3 * rough["x0", 1]


def test_what_the_second_lesson_says_of_variances_holds(play, qtbot):
    """The mean of four samples lacks half of what was drawn; the average of estimates does not."""
    dock = play()
    dock.lessons.setCurrentIndex(1)
    rough = []
    for index, step in enumerate(dock.lesson.steps):
        dock.show_step(index)
        assert do(dock, qtbot), dock.status.text()
        if "show" in step.actions:
            (layer,) = [la for la in dock.viewer.layers if la.visible and "vol2vol_result" in la.metadata]
            rough.append([float(np.abs(np.diff(layer.data, n=2, axis=a)).mean()) for a in range(3)])
    one, averaged_samples, averaged_estimates, _ = rough
    assert one[0] > 1.5 * max(one[1:])
    assert averaged_samples[0] / one[0] == pytest.approx(0.5, abs=0.1)  # across slices all was drawn
    assert averaged_estimates[0] < 1.3 * max(averaged_estimates[1:])


def test_a_lesson_of_the_user_is_offered_and_a_broken_one_says_why(play, tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "a.md").write_text(MINIMAL)
    (mine / "b.md").write_text(MINIMAL + "\n```yaml\nsamplse: [x]\n```\n")
    dock = play()
    assert [dock.lessons.itemText(i) for i in (5, 6)] == ["Mine", "b.md – cannot be read"]
    dock.lessons.setCurrentIndex(6)
    assert "lesson b.md: step 'One': found samplse; accepted are samples, crop" in dock.page.toPlainText()
    assert not dock.do.isEnabled()
    other = tmp_path / "other"
    other.mkdir()
    (other / "c.md").write_text(MINIMAL.replace("Mine", "Theirs"))
    dock.add_folder(other)
    assert dock.lesson.title == "Theirs"
    assert not dock.do.isEnabled()


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ("run: 3", "run: found 3, accepted is a bool"),
        ("show: truth", "show: found truth, accepted are x0, mean"),
        ("crop: {layer: a}", "crop: found layer; needed are layer, name, slices"),
        ("a: [", "no valid YAML"),
        ("- a", "accepted are lines of the form name: value"),
    ],
)
def test_what_a_step_cannot_say_is_named(tmp_path, block, message):
    path = tmp_path / "mine.md"
    path.write_text(MINIMAL + f"\n```yaml\n{block}\n```\n")
    with pytest.raises(SettingsError, match="lesson mine.md: step 'One'.*" + message.replace("[", r"\[")):
        read_lesson(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [("## One", "title: found none"), ("---\ntitle: T\n---\nText", "steps: found none"),
     ("---\ntitle: T\nminutes: x\n---\n## One", "minutes: found 'x'")],
)  # fmt: skip
def test_a_file_that_is_no_lesson_says_what_is_missing(tmp_path, text, message):
    (tmp_path / "mine.md").write_text(text)
    with pytest.raises(SettingsError, match=message):
        read_lesson(tmp_path / "mine.md")


def test_a_step_before_its_samples_or_run_is_one_sentence(play, qtbot):
    dock = play()
    dock.lessons.setCurrentIndex(3)
    dock.show_step(1)
    assert not do(dock, qtbot)
    assert "found no 'CT slab', open are none; do the steps before this one" in dock.status.text()
    dock.lessons.setCurrentIndex(4)
    dock.show_step(2)
    assert not do(dock, qtbot)
    assert "found no run whose error could be shown" in dock.status.text()
    assert dock.do.isEnabled()
