"""Shared by the interface tests: an asymmetric head, a viewer with it, and the three views on top."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from qtpy.QtWidgets import QApplication

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
