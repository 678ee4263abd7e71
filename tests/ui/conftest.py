"""Shared by the interface tests: an asymmetric head, a viewer with it, and the three views on top."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any
from weakref import ref

import numpy as np
import pytest
from qtpy.QtWidgets import QApplication
from superqt.utils import WorkerBase

from napari_vol2vol.grid import finer
from napari_vol2vol.ui.result_layers import on_grid_of
from napari_vol2vol.volume import Volume, scale_affine

#: Where the bright block of the phantom lies, in mm (z, y, x): superior, anterior, on the patient's right.
BLOB_MM = (20.0, 25.0, 30.0)


def head(spacing: float = 2.0, *, name: str = "T1 low", shape: tuple[int, int, int] = (50, 60, 55)) -> Volume:
    """Return a dim ellipsoid with one bright block at `BLOB_MM`, on a grid whose origin is far from zero."""
    origin = tuple(-spacing * (n - 1) / 2 for n in shape)
    z, y, x = (o + spacing * np.arange(n) for o, n in zip(origin, shape, strict=True))
    mm = np.meshgrid(z, y, x, indexing="ij")
    inside = sum((c / (spacing * n * 0.45)) ** 2 for c, n in zip(mm, shape, strict=True)) < 1
    blob = np.max([np.abs(c - b) for c, b in zip(mm, BLOB_MM, strict=True)], axis=0) <= 6
    data = np.where(blob, 1000.0, np.where(inside, 200.0, 0.0)).astype(np.float32)
    return Volume.from_array(data, affine=scale_affine((spacing,) * 3, origin), modality="T1w", name=name)


def process(milliseconds: int = 0) -> None:
    """Let Qt handle what is waiting, for at least so long."""
    from qtpy.QtTest import QTest

    QApplication.processEvents()
    if milliseconds:
        QTest.qWait(milliseconds)


@pytest.fixture(scope="session")
def make_head() -> Callable[..., Volume]:
    """Return `head`, the asymmetric phantom."""
    return head


@pytest.fixture
def add_head() -> Callable[..., Any]:
    """Return a function that adds the phantom to a viewer and returns the layer."""

    def add(viewer: Any, **keywords: Any) -> Any:
        data, kwargs, _ = head(**keywords).to_layer()
        return viewer.add_image(data, **kwargs, contrast_limits=(0, 1000))

    return add


@pytest.fixture
def three_views(make_napari_viewer: Any) -> Iterator[Callable[..., Any]]:
    """Return a function that makes a viewer with the three views docked."""
    from napari_vol2vol.ui.three_views import ThreeViews

    def make(viewer: Any = None, *, show: bool = False) -> Any:
        viewer = viewer or make_napari_viewer(show=show)
        widget = ThreeViews(viewer)
        viewer.window.add_dock_widget(widget, name="Three views", area="right")
        if show:
            viewer.window.resize(1300, 900)
        process(50 if show else 0)
        return widget

    return make


# ---------------------------------------------------------------------- runs without an engine


def fake_stream(shape=(24, 28, 26), pause: float = 0.002, **flags: Any) -> Callable[..., Any]:
    """Return a stand-in for `engine.translate` that streams noise; ``flags`` make it misbehave.

    ``fail``: raise this at the second step; ``warn``: warn at every step.
    The list ``translate.closed`` tells whether ``finally`` ran.
    """
    from napari_vol2vol.engine.events import Done, Preparing, Progress, SampleDone, Snapshot, Started

    def translate(request, source, *, reference=None, box=None, cancel=None, folder=None):  # type: ignore[no-untyped-def]
        rng = np.random.default_rng(request.seed)
        arrays = [rng.random(shape, dtype=np.float32) * 1000 for _ in range(4)]
        volumes = {}
        try:
            yield Preparing("reading weights")
            yield Started(request.samples, request.steps, "cpu", 10**9)
            for sample in range(1, request.samples + 1):
                for step in range(1, request.steps + 1):
                    time.sleep(pause)
                    if cancel.is_set():
                        yield Done(volumes, {}, {}, folder, cancelled=True)
                        return
                    if step == 2 and flags.get("fail"):
                        raise flags["fail"]
                    if flags.get("warn"):
                        warnings.warn("the same again", UserWarning, stacklevel=1)
                    some = arrays[1] if sample > 1 else None
                    std = arrays[2] if sample > 2 else None
                    box.put(Snapshot(sample, step, arrays[step % 4].copy(), some, std, arrays[3]))
                    part = ((sample - 1) * request.steps + step) / (request.samples * request.steps)
                    yield Progress(sample, step, part, 1.0, 0.5 / step, 20.0 + step)
                volumes["x0"] = on_grid_of(source, arrays[step % 4], "x0")
                volumes["mean"] = on_grid_of(source, arrays[1], "mean")
                yield SampleDone(sample, None)
            volumes["error"] = on_grid_of(source, arrays[3], "error")
            if request.samples > 1:
                volumes["uncertainty"] = on_grid_of(source, arrays[2], "uncertainty")
            yield Done(volumes, {"psnr_mean": 28.3, "psnr_single": 26.5}, {}, folder)
        finally:
            translate.closed.append(True)  # type: ignore[attr-defined]

    translate.closed = []  # type: ignore[attr-defined]
    return translate


def fake_estimate(request: Any, source: Volume) -> Any:
    """Stand in for `engine.estimate`."""
    return SimpleNamespace(
        memory_bytes=1_200_000_000, seconds=62.0, device="cpu", warnings=("spacing is outside",)
    )


def fake_catalogue() -> Any:
    """Return a task with three systems: one with a bundle, one whose bundle is missing, one without."""
    from napari_vol2vol.ui.catalogue import Catalogue

    def system(name: str, title: str, bundle: bool, stochastic: bool, steps: int) -> Any:
        return SimpleNamespace(
            name=name,
            title=title,
            needs_bundle=bundle,
            stochastic=stochastic,
            default_steps=steps,
            solvers=("ddim", "ddpm", "dpmpp_2m"),
        )

    def degrade(volume: Volume, factor: Any = (2, 2, 2)) -> Volume:
        few = volume.data[::2, ::2, ::2]
        return volume.with_data(
            few, affine=volume.affine @ np.diag([2, 2, 2, 1.0]), name=f"{volume.name} low"
        )

    def grid(source: Volume, factor: Any) -> Any:
        return finer(source.grid, (2, 2, 2))

    names = ("score-fusion", "tpdm", "trilinear")
    task = SimpleNamespace(
        name="super-resolution", title="Super-resolution", systems=names, simulates=True, shares_window=True
    )
    task.degrade, task.grid = degrade, grid
    card = SimpleNamespace(
        name="brain-t1-x4", title="Brain T1 ×4", description="A network.", licence="BSD-3-Clause",
        training="procedural heads", limits="adults only", modality=("T1w",), factor=(2, 2, 2),
        default_steps=7,
    )  # fmt: skip
    systems = {
        "score-fusion": system("score-fusion", "Score-Fusion", True, True, 12),
        "tpdm": system("tpdm", "TPDM", True, True, 12),
        "trilinear": system("trilinear", "Trilinear", False, False, 1),
    }
    return Catalogue({task.name: task}, systems, lambda t, s: [card] if s == "score-fusion" else [])


@pytest.fixture
def streams() -> Callable[..., Any]:
    """Return `fake_stream`."""
    return fake_stream


@pytest.fixture
def fakes() -> SimpleNamespace:
    """Return the fake catalogue and estimate."""
    return SimpleNamespace(catalogue=fake_catalogue, estimate=fake_estimate)


@pytest.fixture(autouse=True)
def run_folders(tmp_path: Any, monkeypatch: Any) -> None:
    """Keep run folders out of the user's own."""
    monkeypatch.setattr("napari_vol2vol.ui.settings.run_folder", lambda: tmp_path / "runs")


@pytest.fixture
def make_dock(qtbot: Any) -> Callable[..., Any]:
    """Return a function that makes a *Translate* dock with a fake engine over a viewer (or a bare model)."""
    from napari_vol2vol.ui.translate_dock import TranslateDock

    docks = []

    def make(viewer: Any, translate: Any = None) -> Any:
        dock = TranslateDock(viewer, fake_catalogue(), translate or fake_stream(), fake_estimate)
        docks.append(ref(dock))
        dock.more.device.setCurrentText("cpu")
        return dock

    yield make
    for dock in docks:
        if dock() is not None:
            dock().close_dock()
    docks.clear()
    WorkerBase.await_workers(5000)
