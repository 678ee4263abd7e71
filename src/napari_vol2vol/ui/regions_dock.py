"""The *Regions* dock: mean, spread and median of several volumes inside the regions of a labels layer."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels
from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)
from superqt.utils import create_worker

from napari_vol2vol.errors import Vol2VolError
from napari_vol2vol.ui.layer_choice import LayerChoice
from napari_vol2vol.ui.layer_volume import volume_of
from napari_vol2vol.ui.row import Row, note
from napari_vol2vol.ui.window_layout import DockWatch, arrange, main_window_of, set_role

if TYPE_CHECKING:
    import napari

    from napari_vol2vol.metrics.regions import RegionStatistics

COLUMNS = ("region", "voxels", "before", "after", "median change")


class RegionsDock(QWidget):
    """Before and after inside drawn or loaded regions, e.g. HU in aorta, liver and kidney."""

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.labels = QComboBox()
        self.before, self.after = LayerChoice(napari_viewer), LayerChoice(napari_viewer)
        self.measure, self.copy = QPushButton("Measure"), QPushButton("Copy as CSV")
        self.draw = QPushButton("New labels layer")
        self.table = QTableWidget(0, len(COLUMNS))
        self.table.setHorizontalHeaderLabels(COLUMNS)
        self.status = note()
        self._closed = False
        layout = QVBoxLayout(self)
        tip = "Regions to measure in: draw with the brush of napari's labels layer, or load one"
        layout.addWidget(Row("Regions", self.labels, number="1", tip=tip))
        layout.addWidget(Row("Before", self.before, number="2", tip="The volume as it was"))
        layout.addWidget(Row("After", self.after, number="3", tip="The volume that came out"))
        buttons = QHBoxLayout()
        for button in (self.draw, self.measure, self.copy):
            buttons.addWidget(button)
        layout.addLayout(buttons)
        layout.addWidget(self.status)
        layout.addWidget(self.table, stretch=1)
        self.measure.clicked.connect(self.run)
        self.copy.clicked.connect(self.to_clipboard)
        self.draw.clicked.connect(self.add_labels)
        for event in (napari_viewer.layers.events.inserted, napari_viewer.layers.events.removed):
            event.connect(self._on_layers)
        for choice in (self.before, self.after):
            choice.layer_changed.connect(self._allow)
        self.labels.currentIndexChanged.connect(self._allow)
        set_role(self, "side")
        self._watch = DockWatch(self, self._on_docked, self.close_dock)
        self._on_layers()

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return a size that shows the table."""
        return QSize(420, 500)

    def close_dock(self) -> None:
        """Stop following the viewer; can be called twice."""
        if self._closed:
            return
        self._closed = True
        for event in (self.viewer.layers.events.inserted, self.viewer.layers.events.removed):
            event.disconnect(self._on_layers)
        self.before.close_choice()
        self.after.close_choice()

    # ------------------------------------------------------------------ actions

    def add_labels(self) -> None:
        """Add an empty labels layer on the grid of the volume, ready to draw in."""
        layer = self.before.layer
        if layer is None:
            return
        shape = layer.data.shape
        self.viewer.add_labels(
            np.zeros(shape, np.uint8), name=f"{layer.name} · regions", scale=layer.scale,
            translate=layer.translate, units=layer.units, axis_labels=layer.axis_labels,
        )  # fmt: skip

    def run(self) -> None:
        """Measure in a worker thread."""
        regions = self._regions()
        if regions is None or self.before.layer is None or self.after.layer is None:
            return
        self.measure.setEnabled(False)
        names = {int(i): n for i, n in _names(regions).items()}
        work = partial(
            _measured, volume_of(self.before.layer), volume_of(self.after.layer), np.array(regions.data)
        )
        worker = create_worker(work, _ignore_errors=True)
        worker.returned.connect(partial(self._on_measured, names))
        worker.start()

    def as_csv(self) -> str:
        """Return the table as CSV."""
        rows = [",".join(COLUMNS)]
        for row in range(self.table.rowCount()):
            texts = [self.table.item(row, column).text() for column in range(len(COLUMNS))]
            rows.append(",".join(texts))
        return "\n".join(rows) + "\n"

    def to_clipboard(self) -> None:
        """Put the table on the clipboard."""
        QGuiApplication.clipboard().setText(self.as_csv())

    # ------------------------------------------------------------------ reactions

    def _regions(self) -> Labels | None:
        name = self.labels.currentText()
        layer = next((found for found in self.viewer.layers if found.name == name), None)
        return layer if isinstance(layer, Labels) else None

    def _on_layers(self, event: object = None) -> None:
        chosen = self.labels.currentText()
        names = [layer.name for layer in self.viewer.layers if isinstance(layer, Labels) and layer.ndim == 3]
        self.labels.clear()
        self.labels.addItems(names)
        if chosen in names:
            self.labels.setCurrentText(chosen)
        self._allow()

    def _allow(self) -> None:
        regions, before, after = self._regions(), self.before.layer, self.after.layer
        if before is None or after is None:
            reason = "open a volume first"
        elif regions is None:
            reason = "draw or load a labels layer first"
        elif not all(_same_place(regions, layer) for layer in (before, after)):
            reason = "regions and volumes must lie on one grid"
        else:
            reason = ""
        self.draw.setEnabled(before is not None)
        self.measure.setEnabled(not reason)
        self.status.setText(reason)

    def _on_measured(self, names: dict[int, str], found: Any) -> None:
        if self._closed:
            return
        self.measure.setEnabled(True)
        if isinstance(found, str):
            self.status.setText(found)
            return
        units, before, after, change = found
        self.status.setText(f"mean ± standard deviation in {units}; median of changes")
        self.table.setRowCount(len(before))
        for row, (first, second) in enumerate(zip(before, after, strict=True)):
            texts = (
                names.get(first.label, str(first.label)), str(first.voxels), _figures(first),
                _figures(second), f"{change[first.label]:+.1f}",
            )  # fmt: skip
            for column, text in enumerate(texts):
                item = QTableWidgetItem(text)
                item.setFlags(item.flags() & ~Qt.ItemFlag.ItemIsEditable)
                self.table.setItem(row, column, item)
        self.table.resizeColumnsToContents()

    def _on_docked(self) -> None:
        window = main_window_of(self)
        if window is not None and not self._closed:
            arrange(window)


def _figures(region: RegionStatistics) -> str:
    return f"{region.mean:.1f} ± {region.std:.1f}"


def _same_place(regions: Labels, layer: Image) -> bool:
    return (
        regions.data.shape == layer.data.shape
        and bool(np.allclose(regions.scale, layer.scale, rtol=1e-4))
        and bool(np.allclose(regions.translate, layer.translate, atol=1e-3 * float(min(layer.scale))))
    )


def _names(regions: Labels) -> dict[Any, str]:
    """Return the names that a labels layer carries in its features (columns index and name), if any."""
    features = regions.features
    if {"index", "name"} <= set(features.columns):
        return dict(zip(features["index"], features["name"], strict=True))
    return {}


def _measured(before: Any, after: Any, labels: np.ndarray) -> Any:
    """Return (units, before, after, change), or the sentence that says why not (worker thread)."""
    from napari_vol2vol.metrics.regions import change_by_region, region_statistics

    try:
        return (
            after.units,
            region_statistics(before.data, labels),
            region_statistics(after.data, labels),
            change_by_region(before.data, after.data, labels),
        )
    except Vol2VolError as error:
        return str(error)
