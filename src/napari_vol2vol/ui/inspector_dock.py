"""The *Inspector* dock: everything a run says about the voxel under the crosshair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image
from qtpy.QtCore import QRectF, QSize, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QComboBox, QLabel, QVBoxLayout, QWidget
from superqt.utils import create_worker

from napari_vol2vol.anatomical_planes import point_text
from napari_vol2vol.errors import Vol2VolError
from napari_vol2vol.ui.layer_choice import LayerChoice
from napari_vol2vol.ui.orientation_letters import font
from napari_vol2vol.ui.readout import number_text, units_of, value_at
from napari_vol2vol.ui.row import Row, note
from napari_vol2vol.ui.session import session_of
from napari_vol2vol.ui.window_layout import DockWatch, arrange, main_window_of, set_role

if TYPE_CHECKING:
    import napari

    from napari_vol2vol.ui.runs_list import RunEntry


class SampleStrip(QWidget):
    """The samples' values as a row of dots with mean ± σ, and the reference as a line."""

    def __init__(self) -> None:
        super().__init__()
        self._values: list[float] = []
        self._reference: float | None = None
        self.setMinimumHeight(64)

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return a size that shows single dots."""
        return QSize(280, 70)

    def show_values(self, values: Sequence[float], reference: float | None) -> None:
        """Show these samples."""
        self._values, self._reference = list(values), reference
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Paint band, dots and line."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), QColor("#0d0f12"))
        if not self._values:
            painter.end()
            return
        shown = self._values + ([self._reference] if self._reference is not None else [])
        middle, spread = float(np.mean(self._values)), float(np.std(self._values, ddof=len(self._values) > 1))
        low, high = min(*shown, middle - spread), max(*shown, middle + spread)
        pad = max((high - low) * 0.1, abs(high) * 1e-3, 1e-6)
        low, high = low - pad, high + pad
        box = QRectF(self.rect()).adjusted(10, 8, -10, -20)

        def across(value: float) -> float:
            return box.left() + (value - low) / (high - low) * box.width()

        band = QRectF(
            across(middle - spread),
            box.top(),
            across(middle + spread) - across(middle - spread),
            box.height(),
        )
        painter.fillRect(band, QColor(76, 201, 240, 60))
        painter.setPen(QPen(QColor("#4cc9f0"), 1))
        painter.drawLine(int(across(middle)), int(box.top()), int(across(middle)), int(box.bottom()))
        painter.setBrush(QColor("#e8e8e8"))
        painter.setPen(Qt.PenStyle.NoPen)
        for value in self._values:
            painter.drawEllipse(QRectF(across(value) - 3, box.center().y() - 3, 6, 6))
        if self._reference is not None:
            painter.setPen(QPen(QColor("#ffd166"), 2))
            x = int(across(self._reference))
            painter.drawLine(x, int(box.top()), x, int(box.bottom()))
        painter.setFont(font(8))
        painter.setPen(QColor("#8a919c"))
        foot = QRectF(box.left(), box.bottom() + 2, box.width(), 16)
        painter.drawText(foot, Qt.AlignmentFlag.AlignLeft, number_text(low))
        painter.drawText(foot, Qt.AlignmentFlag.AlignRight, number_text(high))
        painter.end()


class InspectorDock(QWidget):
    """Follows the crosshair; the samples of a run are read once from its folder."""

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.run = QComboBox()
        self.reference = LayerChoice(napari_viewer, optional=True)
        self.strip = SampleStrip()
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.status = note()
        self.samples: np.ndarray | None = None
        self._entries: list[RunEntry] = []
        self._closed = False
        layout = QVBoxLayout(self)
        layout.addWidget(Row("Run", self.run, number="1", tip="A finished run of this session"))
        layout.addWidget(Row("Reference", self.reference, number="2", tip="The truth on the same grid"))
        layout.addWidget(self.text)
        layout.addWidget(self.strip)
        layout.addWidget(self.status)
        layout.addStretch(1)
        self.run.currentIndexChanged.connect(self._on_run)
        self.reference.layer_changed.connect(self._show)
        napari_viewer.dims.events.point.connect(self._show)
        session_of(napari_viewer).runs_changed.connect(self._on_runs)
        set_role(self, "side")
        self._watch = DockWatch(self, self._on_docked, self.close_dock)
        self._on_runs()

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return the width in which nothing is cut off."""
        return QSize(340, 420)

    def close_dock(self) -> None:
        """Stop following the viewer; can be called twice."""
        if self._closed:
            return
        self._closed = True
        self.viewer.dims.events.point.disconnect(self._show)
        session_of(self.viewer).runs_changed.disconnect(self._on_runs, missing_ok=True)
        self.reference.close_choice()

    # ------------------------------------------------------------------ reactions

    def _on_runs(self) -> None:
        """Offer the runs of the session, the newest chosen."""
        self._entries = list(session_of(self.viewer).runs)
        self.run.blockSignals(True)
        self.run.clear()
        self.run.addItems([entry.text for entry in self._entries])
        self.run.setCurrentIndex(len(self._entries) - 1)
        self.run.blockSignals(False)
        self._on_run()

    def _on_run(self) -> None:
        self.samples = None
        entry = self._entry()
        folder = entry.folder if entry is not None else None
        self.status.setText("no run yet" if entry is None else "")
        if folder is not None and folder.is_dir():
            worker = create_worker(partial(read_samples, folder), _ignore_errors=True)
            worker.returned.connect(partial(self._on_read, folder))
            worker.start()
        self._show()

    def _on_read(self, folder: Path, found: Any) -> None:
        entry = self._entry()
        if self._closed or entry is None or entry.folder != folder:
            return
        if isinstance(found, str):
            self.status.setText(found)
            return
        self.samples = found
        self._show()

    def _entry(self) -> RunEntry | None:
        index = self.run.currentIndex()
        return self._entries[index] if 0 <= index < len(self._entries) else None

    def _show(self, event: object = None) -> None:
        entry, dims = self._entry(), self.viewer.dims
        if entry is None or dims.ndim != 3:
            self.text.setText("")
            self.strip.show_values((), None)
            return
        world = tuple(float(v) for v in dims.point)
        layers = {str(layer.metadata.get("vol2vol_result")): layer for layer in entry.layers.layers}
        reference = value_at(self.reference.layer, world) if self.reference.layer is not None else None
        values = samples_at(self.samples, layers, world)
        found = {kind: value_at(layer, world) for kind, layer in layers.items()}
        units = units_of(next(iter(layers.values()))) if layers else "a.u."
        planes = [p for p in ("axial", "coronal", "sagittal") if f"tap {p}" in layers]
        self.text.setText("\n".join([point_text(world), *describe(found, values, reference, units, planes)]))
        self.strip.show_values(values, reference)

    def _on_docked(self) -> None:
        window = main_window_of(self)
        if window is not None and not self._closed:
            arrange(window)


def read_samples(folder: Path) -> Any:
    """Return the samples of a run folder (N, z, y, x), or the sentence that says why not (worker thread)."""
    from napari_vol2vol.io import read_volume

    paths = sorted(folder.glob("sample-*.nii.gz"))
    if not paths:
        return f"{folder.name}: no sample was finished"
    try:
        return np.stack([read_volume(path).data for path in paths])
    except (Vol2VolError, ValueError) as error:
        return str(error)


def samples_at(
    samples: np.ndarray | None, layers: Mapping[str, Image], world: tuple[float, ...]
) -> list[float]:
    """Return the samples' values at a world point; none where they are not read or it lies outside."""
    layer = layers.get("x0")
    if samples is None or layer is None or samples.shape[1:] != layer.data.shape:
        return []
    index = tuple(np.round(layer.world_to_data(world)).astype(int))
    if any(i < 0 or i >= n for i, n in zip(index, layer.data.shape, strict=True)):
        return []
    return [float(v) for v in samples[(slice(None), *index)]]


def describe(
    found: Mapping[str, float | None],
    values: Sequence[float],
    reference: float | None,
    units: str,
    planes: Sequence[str],
) -> list[str]:
    """Return one line a fact: newest value, mean ± σ, reference with its place among the samples, weights."""
    lines = []
    if (newest := found.get("x0")) is not None:
        lines.append(f"x̂0 {number_text(newest)} {units}")
    mean, std = found.get("mean"), found.get("uncertainty")
    if mean is not None and std is not None:
        count = f" over {len(values)} samples" if values else ""
        lines.append(f"mean {number_text(mean)} ± {number_text(std)} {units}{count}")
    if reference is not None:
        lines.append(f"reference {number_text(reference)} {units}")
        best = mean if mean is not None else newest
        if best is not None:
            lines.append(f"error {best - reference:+.3g} {units}")
        if values:
            below = sum(v < reference for v in values)
            lines.append(f"the reference lies above {below} of {len(values)} samples")
    if (w := found.get("tap w")) is not None:
        own = 1 / max(len(planes), 2) + w
        first = planes[0] if planes else "first"
        lines.append(
            f"fusion weight of the {first} plane {own:.2f}: {'more' if w > 0 else 'less'} than its share"
        )
    if (residual := found.get("tap R")) is not None:
        lines.append(f"residual R of the 3D network {residual:+.3g} (model units)")
    return lines
