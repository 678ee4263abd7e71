"""Measure how fast a recorded trajectory is scrubbed in three views, and what recording a step costs.

Needs a display: ``xvfb-run -a python scripts/measure_scrubbing.py``. Painting is not counted.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np


def record(folder: Path, shape: tuple[int, int, int], steps: int, state: bool) -> list[float]:
    """Record noise as the engine does and return the seconds of each step."""
    import torch

    from napari_vol2vol.engine.trajectory import StepFacts, TrajectoryRecorder

    recorder = TrajectoryRecorder(100_000, folder, state=state)
    rng = np.random.default_rng(0)
    seconds = []
    for step in range(1, steps + 1):
        array = rng.random(shape, dtype=np.float32)
        noise = torch.from_numpy(array)
        begin = time.perf_counter()
        facts = StepFacts(1, step, 1 - step / steps, 0.5, 0.5, 0.1, 20.0)
        recorder.add(facts, array, (noise, noise) if state else None)
        seconds.append(time.perf_counter() - begin)
    return seconds


def scrub(folder: Path, kind: str) -> list[float]:
    """Move the slider over all steps, with the three views open, and return the seconds of each move."""
    import napari

    from napari_vol2vol.ui.three_views import ThreeViews
    from napari_vol2vol.ui.trajectory_dock import TrajectoryDock

    viewer = napari.Viewer(show=False)
    views, dock = ThreeViews(viewer), TrajectoryDock(viewer)
    viewer.window.add_dock_widget(views, name="Three views", area="right")
    viewer.window.add_dock_widget(dock, name="Trajectory", area="right")
    dock.open_folder(folder)
    dock.what.setCurrentIndex(dock.what.findData(kind))
    seconds = []
    for step in range(dock.slider.minimum() + 1, dock.slider.maximum() + 1):
        begin = time.perf_counter()
        dock.slider.setValue(step)
        seconds.append(time.perf_counter() - begin)
    dock.close_dock()
    viewer.close()
    return seconds


def main() -> None:
    """Print medians in milliseconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", type=int, nargs=3, default=(152, 192, 192), help="z y x")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--state", action="store_true", help="record x_t and the predicted noise too")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shape = tuple(arguments.shape)
        seconds = record(folder, shape, arguments.steps, arguments.state)
        size = sum(path.stat().st_size for path in folder.rglob("*")) / 2**20
        print(f"recording {shape}: {1000 * np.median(seconds):.0f} ms a step, {size:.0f} MiB in all")
        for kind in ("", "x_t", "noise") if arguments.state else ("",):
            times = 1000 * np.array(scrub(folder, kind))
            print(
                f"scrubbing {kind or 'x0'}: {np.median(times):.0f} ms a step (median), "
                f"{np.percentile(times, 95):.0f} ms (95 %)"
            )


if __name__ == "__main__":
    main()
