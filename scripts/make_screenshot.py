"""Make the picture of the README: both docks in the middle of a run on the sample.

Needs a display (``xvfb-run -a -s "-screen 0 1600x1000x24" python scripts/make_screenshot.py``) and the plugin
installed. The run is grabbed when enough samples are finished for an uncertainty map.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import napari
from qt_waiting import wait_until
from qtpy.QtWidgets import QApplication, QMainWindow

from napari_vol2vol.ui.commands import run_sample
from napari_vol2vol.ui.translate_dock import TranslateDock

SIZE = (1500, 950)


def steps_into(dock: TranslateDock, sample: int, part: float) -> bool:
    """Whether a run has come a part of the way through a sample, or has ended."""
    if dock.runs.entries and not dock.controller.active:
        return True
    step, at = dock.report.position
    return at > sample or (at == sample and step >= part * dock.method.steps.value())


def main() -> None:
    """Open, run, wait, grab."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", nargs="?", type=Path, default=Path("docs/images/screenshot.png"))
    parser.add_argument("--sample", type=int, default=3, help="grab during this sample")
    parser.add_argument("--part", type=float, default=0.6, help="how far into it, 0 to 1")
    parser.add_argument("--timeout", type=float, default=600, help="seconds")
    options = parser.parse_args()
    viewer = napari.Viewer(show=False)
    viewer.show()
    viewer.window.resize(*SIZE)
    wait_until(lambda: False, 0.5)
    dock = run_sample(viewer)
    reached = wait_until(lambda: steps_into(dock, options.sample, options.part), options.timeout)
    for layer in viewer.layers:
        if layer.metadata.get("vol2vol_result") == "uncertainty":
            layer.blending, layer.opacity, layer.visible = "additive", 0.4, True
    wait_until(lambda: False, 1.5)
    window = next(w for w in QApplication.topLevelWidgets() if isinstance(w, QMainWindow))
    options.path.parent.mkdir(parents=True, exist_ok=True)
    picture = window.screen().grabWindow(0, window.x(), window.y(), window.width(), window.height())
    picture.save(str(options.path))
    print(f"{options.path}: {picture.width()} x {picture.height()}, {dock.bar.status.text()}")
    dock.controller.cancel()
    wait_until(lambda: not dock.controller.active, 60)
    viewer.close()
    if not reached:
        raise SystemExit("the run did not get that far in time")


if __name__ == "__main__":
    main()
