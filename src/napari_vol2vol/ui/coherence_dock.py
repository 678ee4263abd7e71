"""The *Coherence* dock: slice-to-slice consistency of a volume beside a reference of the same anatomy."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)
from superqt.utils import create_worker

from napari_vol2vol.errors import BundleError, Vol2VolError
from napari_vol2vol.ui.layer_choice import LayerChoice
from napari_vol2vol.ui.layer_volume import volume_of
from napari_vol2vol.ui.profile_plot import ProfilePlot
from napari_vol2vol.ui.row import Row, note
from napari_vol2vol.ui.session import session_of
from napari_vol2vol.ui.window_layout import DockWatch, arrange, main_window_of, set_role

if TYPE_CHECKING:
    import napari
    from napari.layers import Image

    from napari_vol2vol.metrics.coherence import Coherence, Finding
    from napari_vol2vol.volume import Volume

AXES = ("axial", "coronal", "sagittal")
#: (field of `SliceProfiles`, title)
PLOTS = (
    ("difference", "Mean |difference| of neighbouring slices"),
    ("ssim", "SSIM of neighbouring slices"),
    ("median", "Median of the slice inside the body"),
)


class CoherenceDock(QWidget):
    """Four looks at one volume; a click on a profile or a finding brings all views to that slice."""

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.volume, self.reference = LayerChoice(napari_viewer), LayerChoice(napari_viewer)
        self.plane = QComboBox()
        self.plane.addItems(AXES)
        self.look, self.shimmer = QPushButton("Look"), QPushButton("Shimmer map")
        self.shimmer.setToolTip("Where it flickers through the plane: a layer of local high-frequency energy")
        self.plots = {name: ProfilePlot(title) for name, title in PLOTS}
        self.ratios, self.status = note(), note()
        self.findings = QListWidget()
        self.findings.setWordWrap(True)
        self.result: Coherence | None = None
        self._shown: tuple[Image, Image] | None = None
        self._closed = False
        self._lay_out()
        self._connect()
        set_role(self, "side")
        self._watch = DockWatch(self, self._on_docked, self.close_dock)
        self._on_layers()

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return the width in which nothing is cut off."""
        return QSize(350, 760)

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.addWidget(Row("Volume", self.volume, number="1", tip="The volume to look at"))
        tip = "The same anatomy on the same grid: the source or the truth; nothing is judged without one"
        layout.addWidget(Row("Reference", self.reference, number="2", tip=tip))
        layout.addWidget(Row("Plane", self.plane, number="3", tip="Slices of which plane"))
        buttons = QHBoxLayout()
        buttons.addWidget(self.look)
        buttons.addWidget(self.shimmer)
        layout.addLayout(buttons)
        layout.addWidget(self.status)
        for plot in self.plots.values():
            layout.addWidget(plot)
        layout.addWidget(self.ratios)
        layout.addWidget(self.findings, stretch=1)

    def _connect(self) -> None:
        for choice in (self.volume, self.reference):
            choice.layer_changed.connect(self._on_layers)
        self.look.clicked.connect(self.measure)
        self.shimmer.clicked.connect(self.add_shimmer)
        self.plane.currentIndexChanged.connect(self._show)
        self.findings.itemClicked.connect(self._on_finding)
        self.findings.itemActivated.connect(self._on_finding)
        for plot in self.plots.values():
            plot.slice_chosen.connect(self.jump)
        self.viewer.dims.events.point.connect(self._mark)

    def close_dock(self) -> None:
        """Stop following the viewer; can be called twice."""
        if self._closed:
            return
        self._closed = True
        self.viewer.dims.events.point.disconnect(self._mark)
        self.volume.close_choice()
        self.reference.close_choice()

    # ------------------------------------------------------------------ actions

    def measure(self) -> None:
        """Compute the panel in a worker thread."""
        layers = self.volume.layer, self.reference.layer
        if None in layers or layers[0] is layers[1]:
            return
        self.look.setEnabled(False)
        self.status.setText("looking …")
        work = partial(_measured, volume_of(layers[0]), volume_of(layers[1]), self._record(layers[0]))
        worker = create_worker(work, _ignore_errors=True)
        worker.returned.connect(partial(self._on_measured, layers))
        worker.start()

    def _record(self, layer: Image) -> Mapping[str, Any]:
        """Return the record of the run that a layer came from: of this session, or what its file says."""
        for entry in session_of(self.viewer).runs:
            if layer in entry.layers.layers and entry.folder is not None:
                try:
                    return json.loads((entry.folder / "run.json").read_text())
                except (OSError, json.JSONDecodeError):
                    break
        return volume_of(layer).provenance

    def add_shimmer(self) -> None:
        """Add the shimmer map of the volume through the chosen plane as a layer."""
        layer = self.volume.layer
        if layer is None:
            return
        self.shimmer.setEnabled(False)
        axis, volume = self.plane.currentIndex(), volume_of(layer)
        worker = create_worker(_shimmer, volume, axis, _ignore_errors=True)
        worker.returned.connect(self._on_shimmer)
        worker.start()

    def jump(self, index: int) -> None:
        """Bring all views to a slice of the chosen plane."""
        if self._shown is not None:
            axis, layer = self.plane.currentIndex(), self._shown[0]
            self.viewer.dims.set_point(axis, layer.translate[axis] + index * layer.scale[axis])

    # ------------------------------------------------------------------ reactions

    def _on_layers(self) -> None:
        volume, reference = self.volume.layer, self.reference.layer
        if volume is None or reference is None:
            reason = "open the volume and a reference first"
        elif volume is reference:
            reason = "choose a reference that is another layer"
        else:
            reason = ""
        self.look.setEnabled(not reason)
        self.shimmer.setEnabled(volume is not None)
        self.status.setText(reason)

    def _on_measured(self, layers: tuple[Image, Image], found: Any) -> None:
        if self._closed:
            return
        self.look.setEnabled(True)
        if isinstance(found, str):
            self.status.setText(found)
            return
        self.result, seams = found
        self._shown = layers
        count = len(self.result.findings)
        self.status.setText(
            f"{layers[0].name} beside {layers[1].name}: "
            + ("nothing differs beyond other noise" if not count else f"{count} findings")
            + f"\n{seams}"
        )
        self._show()

    def _on_shimmer(self, found: Any) -> None:
        if self._closed:
            return
        self.shimmer.setEnabled(True)
        if isinstance(found, str):
            self.status.setText(found)
            return
        data, keywords, _ = found.to_layer()
        limits = (0.0, float(np.percentile(data, 99.5)) or 1.0)
        self.viewer.add_image(data, **keywords, colormap="magma", contrast_limits=limits, opacity=0.6)

    def _show(self) -> None:
        """Show the chosen plane of the newest result."""
        if self.result is None:
            return
        axis = self.plane.currentIndex()
        ours, theirs = self.result.volume[axis], self.result.reference[axis]
        flags = [s for a, s in self.result.flagged_slices if a == axis]
        for name, plot in self.plots.items():
            values = getattr(ours.profiles, name), getattr(theirs.profiles, name)
            plot.set_profiles(*values, ours.spacing_mm, flags)
        self.ratios.setText(
            f"gradient through the planes over that in them: {ours.gradient:.2f} (reference "
            f"{theirs.gradient:.2f})\nhigh-frequency power likewise: {ours.power:.2f} (reference "
            f"{theirs.power:.2f}): below the reference blurred, above it flickering"
        )
        self.findings.clear()
        for finding in self.result.findings:
            item = QListWidgetItem(_text(finding))
            item.setData(Qt.ItemDataRole.UserRole, finding)
            self.findings.addItem(item)
        self._mark()

    def _on_finding(self, item: QListWidgetItem) -> None:
        finding = item.data(Qt.ItemDataRole.UserRole)
        self.plane.setCurrentIndex(finding.axis)
        if finding.slices:
            self.jump(finding.slices[0])

    def _mark(self, event: object = None) -> None:
        if self._shown is None:
            return
        axis, layer = self.plane.currentIndex(), self._shown[0]
        index = round((self.viewer.dims.point[axis] - layer.translate[axis]) / layer.scale[axis])
        for plot in self.plots.values():
            plot.mark(int(index) if 0 <= index < layer.data.shape[axis] else None)

    def _on_docked(self) -> None:
        window = main_window_of(self)
        if window is not None and not self._closed:
            arrange(window)


def _text(finding: Finding) -> str:
    where = f" · slices {', '.join(map(str, finding.slices[:8]))}" if finding.slices else ""
    figures = f"{finding.found:.3g}, reference about {finding.expected:.3g}"
    return f"{AXES[finding.axis]} · {finding.text}: {figures}{where}"


def _measured(volume: Volume, reference: Volume, record: Mapping[str, Any]) -> Any:
    """Return the result with words on seams, or the sentence that says why there is none (worker thread)."""
    from napari_vol2vol.evaluation.seams import seams_of
    from napari_vol2vol.metrics.coherence import coherence
    from napari_vol2vol.volume import check_reference

    try:
        check_reference(volume, reference)
        try:
            seams = seams_of(record, volume.shape[0])
            at = ", ".join(str(i) for _, i in seams)
            words = f"seams of slabs at {at}" if seams else "no slabs on record"
        except BundleError as error:
            seams, words = [], str(error)
        return coherence(volume.data, reference.data, volume.spacing_mm, boundaries=seams), words
    except Vol2VolError as error:
        return str(error)


def _shimmer(volume: Volume, axis: int) -> Any:
    """Return the shimmer map as a volume, the root of the energy in the volume's units (worker thread)."""
    from napari_vol2vol.metrics.coherence import shimmer

    energy = shimmer(volume.data, axis, volume.spacing_mm)
    return volume.with_data(np.sqrt(energy), name=f"{volume.name} · shimmer {AXES[axis]}")
