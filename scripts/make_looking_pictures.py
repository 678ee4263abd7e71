"""Make the pictures of docs/looking.md from run folders of the bundled sample.

The folder holds the runs ``palette``, ``tpdm`` (three samples, recorded with its state) and ``score-fusion``,
each made by ``vol2vol translate``. Needs a display:
``xvfb-run -a -s "-screen 0 1600x1000x24" python scripts/make_looking_pictures.py RUNS``.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import napari
from PIL import Image
from qt_waiting import wait_until
from qtpy.QtWidgets import QApplication, QMainWindow

from napari_vol2vol.evaluation.export import export_run
from napari_vol2vol.evaluation.run_exports import ExportSettings
from napari_vol2vol.ui.run_history import read_run, show_run
from napari_vol2vol.ui.session import session_of
from napari_vol2vol.ui.settings import PLUGIN

SIZE = (1240, 820)
RUNS = ("palette", "tpdm", "score-fusion")
#: Shown black to white: cerebrospinal fluid to a little above white matter.
LIMITS = (0, 140)


class Stage:
    """A viewer with the sample, the runs and the three views; one further dock at a time."""

    def __init__(self, runs: Path, output: Path) -> None:
        self.output = output
        self.viewer = napari.Viewer(show=False)
        self.viewer.show()
        self.viewer.window.resize(*SIZE)
        wait_until(lambda: False, 0.5)
        (self.reference,) = self.viewer.open_sample(PLUGIN, "brain-t1-reference")
        self.layers: dict[str, dict[str, Any]] = {}
        for name in RUNS:
            entry = show_run(self.viewer, runs / name, *read_run(runs / name))
            entry.title = name
            session_of(self.viewer).runs.append(entry)
            found = {la.metadata["vol2vol_result"]: la for la in entry.layers.layers}
            for kind in ("x0", "mean"):
                if kind in found:
                    found[kind].contrast_limits = LIMITS
            self.layers[name] = found
        self.reference.contrast_limits = LIMITS
        self.views = self.viewer.window.add_plugin_dock_widget(PLUGIN, "Three views")[1]
        self.views.reset()
        self.widget: Any = None

    def open(self, name: str) -> Any:
        """Open a dock in place of the last one."""
        if self.widget is not None:
            self.viewer.window.remove_dock_widget(self.widget)
        self.widget = self.viewer.window.add_plugin_dock_widget(PLUGIN, name)[1]
        wait_until(lambda: False, 0.5)
        return self.widget

    def show_alone(self, *layers: Any) -> None:
        """Show some layers and hide all others."""
        for layer in self.viewer.layers:
            layer.visible = layer in layers
        self.viewer.layers.selection.active = layers[-1]

    def grab(self, name: str) -> None:
        """Save the window, with few enough colours to stay small."""
        wait_until(lambda: False, 1.5)
        window = next(w for w in QApplication.topLevelWidgets() if isinstance(w, QMainWindow))
        path = self.output / f"looking-{name}.png"
        picture = window.screen().grabWindow(0, window.x(), window.y(), window.width(), window.height())
        picture.save(str(path))
        with Image.open(path) as whole:
            small = whole.convert("RGB").quantize(128, dither=Image.Dither.NONE)
        small.save(path, optimize=True)
        print(f"{path}: {path.stat().st_size // 1024} KiB")


def docks(stage: Stage, runs: Path) -> None:
    """Grab each dock on the runs."""
    palette, tpdm = stage.layers["palette"], stage.layers["tpdm"]
    stage.show_alone(palette["x0"])
    dock = stage.open("Coherence")
    dock.volume.choose(palette["x0"])
    dock.reference.choose(stage.reference)
    dock.look.click()
    wait_until(lambda: dock.result is not None, 60)
    stage.grab("coherence")
    stage.show_alone(tpdm["uncertainty"])
    dock = stage.open("Uncertainty")
    dock.mean.choose(tpdm["mean"])
    dock.std.choose(tpdm["uncertainty"])
    dock.reference.choose(stage.reference)
    dock.samples.setValue(3)
    dock.measure.click()
    wait_until(lambda: "inside the intervals" in dock.words.text(), 60)
    stage.grab("uncertainty")
    dock = stage.open("Compare")
    dock.a.choose(palette["x0"])
    dock.b.choose(stage.layers["score-fusion"]["x0"])
    dock.mode.setCurrentText("wipe")
    dock.compare()
    stage.grab("compare")
    dock.end_comparison()
    dock = stage.open("Trajectory")
    dock.open_folder(runs / "tpdm")
    dock.what.setCurrentIndex(dock.what.findData("x_t"))
    dock.slider.setValue(5)
    stage.show_alone(dock.layer)
    stage.grab("trajectory")
    dock = stage.open("Lessons")
    dock.lessons.setCurrentIndex(1)
    dock.show_step(1)
    stage.show_alone(palette["x0"])
    (low,) = stage.viewer.open_sample(PLUGIN, "brain-t1-low")
    low.visible = False
    stage.viewer.window.resize(1500, SIZE[1])
    translate = stage.viewer.window.add_plugin_dock_widget(PLUGIN, "Translate")[1]
    translate.volumes.volume.choose(low)
    translate.method.choose_system("gaussian")
    stage.grab("lessons")


def main() -> None:
    """Write all pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=Path)
    parser.add_argument("output", type=Path, nargs="?", default=Path("docs/images"))
    arguments = parser.parse_args()
    for name in RUNS:
        path = arguments.output / f"looking-{name}.png"
        export_run(arguments.runs / name, path, ExportSettings(window="140,70"), overwrite=True)
        print(f"{path}: {path.stat().st_size // 1024} KiB")
    stage = Stage(arguments.runs, arguments.output)
    docks(stage, arguments.runs)
    stage.viewer.close()


if __name__ == "__main__":
    main()
