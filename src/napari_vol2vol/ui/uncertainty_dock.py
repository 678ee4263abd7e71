"""The *Uncertainty* dock: whether the uncertainty of a run tells where it is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels
from qtpy.QtCore import QSize
from qtpy.QtWidgets import (
    QComboBox,
    QPushButton,
    QSpinBox,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)
from superqt.utils import create_worker

from napari_vol2vol.errors import Vol2VolError
from napari_vol2vol.ui.layer_choice import LayerChoice
from napari_vol2vol.ui.line_plot import LinePlot, PlotLine
from napari_vol2vol.ui.result_layers import RESULT_KEY
from napari_vol2vol.ui.row import Row, note
from napari_vol2vol.ui.window_layout import DockWatch, arrange, main_window_of, set_role

if TYPE_CHECKING:
    import napari

    from napari_vol2vol.metrics.sparsification import Sparsification

LEVELS = (0.5, 0.68, 0.9, 0.95)
COLUMNS = ("region", "voxels", "mean |error|", "mean σ", "in 68 %", "in 95 %")
NO_REGIONS = "everywhere"


@dataclass(frozen=True)
class Reliability:
    """What the dock shows: coverage by level, curves, and one row of figures a region."""

    coverage: dict[float, float]
    curves: Sparsification
    mace: float
    spearman: float
    rows: tuple[tuple[str, int, float, float, float, float], ...]


class UncertaintyDock(QWidget):
    """Mean and standard deviation over samples against the truth; follows the layers while samples arrive."""

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.mean, self.std, self.reference = (LayerChoice(napari_viewer) for _ in range(3))
        self.regions = QComboBox()
        self.samples = QSpinBox()
        self.samples.setRange(2, 1000)
        self.samples.setValue(5)
        self.measure = QPushButton("Measure")
        self.coverage_plot = LinePlot("Share of voxels inside the interval", "nominal share")
        self.sparse_plot = LinePlot("Mean error of the voxels that are left", "share of voxels taken away")
        self.words, self.status = note(), note()
        self.table = QTableWidget(0, len(COLUMNS))
        self.table.setHorizontalHeaderLabels(COLUMNS)
        self.result: Reliability | None = None
        self._followed: Image | None = None
        self._busy = self._again = self._closed = False
        self._lay_out()
        self._connect()
        set_role(self, "side")
        self._watch = DockWatch(self, self._on_docked, self.close_dock)
        self._on_layers()

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return the width in which nothing is cut off."""
        return QSize(360, 820)

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        rows = (
            Row("Mean", self.mean, number="1", tip="The mean over the samples of a run"),
            Row("Uncertainty", self.std, number="2", tip="Their standard deviation"),
            Row("Reference", self.reference, number="3", tip="The truth on the same grid"),
            Row("Samples", self.samples, tip="How many samples mean and uncertainty come from"),
            Row("Regions", self.regions, tip="A labels layer on the same grid: one row each"),
        )
        for widget in (*rows, self.measure, self.status, self.coverage_plot, self.sparse_plot, self.words):
            layout.addWidget(widget)
        layout.addWidget(self.table, stretch=1)

    def _connect(self) -> None:
        for choice in (self.mean, self.std, self.reference):
            choice.layer_changed.connect(self._on_choice)
        self.regions.currentIndexChanged.connect(self._on_choice)
        self.samples.valueChanged.connect(self._on_choice)
        self.measure.clicked.connect(self.run)
        for event in (self.viewer.layers.events.inserted, self.viewer.layers.events.removed):
            event.connect(self._on_layers)

    def close_dock(self) -> None:
        """Stop following the viewer; can be called twice."""
        if self._closed:
            return
        self._closed = True
        for event in (self.viewer.layers.events.inserted, self.viewer.layers.events.removed):
            event.disconnect(self._on_layers)
        self._follow(None)
        for choice in (self.mean, self.std, self.reference):
            choice.close_choice()

    def run(self) -> None:
        """Measure in a worker thread; asked again meanwhile, it runs once more after that."""
        if self._reason():
            return
        if self._busy:
            self._again = True
            return
        self._busy = True
        arrays = [np.asarray(choice.layer.data) for choice in (self.mean, self.std, self.reference)]
        regions = self._regions()
        labels = None if regions is None else np.array(regions.data)
        work = partial(reliability, *arrays, self.samples.value(), labels)
        worker = create_worker(work, _ignore_errors=True)
        worker.returned.connect(self._on_measured)
        worker.start()

    # ------------------------------------------------------------------ reactions

    def _regions(self) -> Labels | None:
        name = self.regions.currentText()
        found = next((layer for layer in self.viewer.layers if layer.name == name), None)
        return found if isinstance(found, Labels) else None

    def _reason(self) -> str:
        layers = [choice.layer for choice in (self.mean, self.std, self.reference)]
        if None in layers or len(set(layers)) < 3:
            return "choose mean, uncertainty and reference: three layers"
        if len({layer.data.shape for layer in layers}) > 1:
            return "mean, uncertainty and reference lie on different grids"
        regions = self._regions()
        if regions is not None and regions.data.shape != layers[0].data.shape:
            return "the regions lie on another grid"
        return ""

    def _on_layers(self, event: object = None) -> None:
        chosen = self.regions.currentText()
        names = [layer.name for layer in self.viewer.layers if isinstance(layer, Labels) and layer.ndim == 3]
        self.regions.clear()
        self.regions.addItems([NO_REGIONS, *names])
        self.regions.setCurrentText(chosen if chosen in names else NO_REGIONS)
        for kind, choice in (("mean", self.mean), ("uncertainty", self.std)):
            choice.refresh()
            newest = [layer for layer in choice.offered() if layer.metadata.get(RESULT_KEY) == kind]
            if newest and (choice.layer is None or choice.layer.metadata.get(RESULT_KEY) != kind):
                choice.choose(newest[-1])
        self._on_choice()

    def _on_choice(self) -> None:
        reason = self._reason()
        self.measure.setEnabled(not reason)
        self.status.setText(reason)
        self._follow(None if reason else self.std.layer)

    def _follow(self, layer: Image | None) -> None:
        """Measure again whenever the data of the uncertainty change: while samples arrive."""
        if layer is self._followed:
            return
        if self._followed is not None:
            self._followed.events.data.disconnect(self._on_data)
        self._followed = layer
        if layer is not None:
            layer.events.data.connect(self._on_data)

    def _on_data(self, event: object = None) -> None:
        self.run()

    def _on_measured(self, found: Any) -> None:
        self._busy = False
        if self._closed:
            return
        if isinstance(found, str):
            self.status.setText(found)
        else:
            self.result = found
            self._show(found)
        if self._again:
            self._again = False
            self.run()

    def _show(self, found: Reliability) -> None:
        levels = list(found.coverage)
        ideal = PlotLine("ideal", (0.0, 1.0), (0.0, 1.0), "#8a919c", dashed=True)
        measured = PlotLine("measured", levels, list(found.coverage.values()), dots=True)
        self.coverage_plot.set_lines((ideal, measured))
        fractions = found.curves.fractions.tolist()
        by_error = PlotLine("by error: the best order", fractions, found.curves.by_error.tolist(), "#8a919c")
        by_std = PlotLine("by uncertainty", fractions, found.curves.by_uncertainty.tolist())
        self.sparse_plot.set_lines((by_error, by_std))
        inside = ", ".join(f"{share:.0%} in {level:.0%}" for level, share in found.coverage.items())
        self.words.setText(
            f"inside the intervals: {inside}\n"
            f"mean absolute calibration error, mean |σ − |error||: {found.mace:.4g}\n"
            f"area under the sparsification error: {found.curves.ause:.3f} (0 is the best order)\n"
            f"rank correlation of uncertainty and error: {found.spearman:.2f}\n"
            "uncertainty is the spread of a model's samples: it knows nothing of what the model never saw"
        )
        self.table.setRowCount(len(found.rows))
        for row, figures in enumerate(found.rows):
            texts = (figures[0], str(figures[1]), *(f"{v:.3g}" for v in figures[2:]))
            for column, text in enumerate(texts):
                self.table.setItem(row, column, QTableWidgetItem(text))
        self.table.resizeColumnsToContents()

    def _on_docked(self) -> None:
        window = main_window_of(self)
        if window is not None and not self._closed:
            arrange(window)


def reliability(
    mean: np.ndarray, std: np.ndarray, reference: np.ndarray, samples: int, labels: np.ndarray | None
) -> Reliability | str:
    """Return the figures, or the sentence that says why there are none (any thread)."""
    from napari_vol2vol.metrics.calibration import (
        coverage,
        mean_absolute_calibration_error,
        uncertainty_error_correlation,
    )
    from napari_vol2vol.metrics.sparsification import sparsification

    try:
        error = np.abs(mean - reference)
        rows = []
        for label in [] if labels is None else [int(v) for v in np.unique(labels) if v > 0]:
            inside = labels == label
            part = coverage(mean[inside], std[inside], reference[inside], (0.68, 0.95), samples)
            rows.append(
                (str(label), int(inside.sum()), float(error[inside].mean()), float(std[inside].mean()),
                 part[0.68], part[0.95])
            )  # fmt: skip
        return Reliability(
            coverage(mean, std, reference, LEVELS, samples),
            sparsification(error, std),
            mean_absolute_calibration_error(mean=mean, std=std, reference=reference),
            uncertainty_error_correlation(mean, std, reference),
            tuple(rows),
        )
    except Vol2VolError as problem:
        return str(problem)
