"""Step 1 of the *Translate* dock: the volume, the reference, and the simulation from a complete volume."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QCheckBox, QComboBox, QPushButton, QVBoxLayout, QWidget

from napari_vol2vol.errors import VolumeError
from napari_vol2vol.options import options_of
from napari_vol2vol.ui.layer_choice import LayerChoice
from napari_vol2vol.ui.layer_volume import MODALITIES, modality_of, set_modality, volume_of
from napari_vol2vol.ui.option_fields import OptionFields
from napari_vol2vol.ui.result_layers import RESULT_KEY
from napari_vol2vol.ui.row import Row
from napari_vol2vol.volume import METADATA_KEY, Volume

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

#: The field of view of a reference may differ by this many of its own voxels.
FIELD_OF_VIEW_VOXELS = 0.5


class VolumeFields(QWidget):
    """``changed`` is emitted when any choice changes, ``load_asked`` where a measurement is to be read."""

    changed = Signal()
    load_asked = Signal()

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self.volume = LayerChoice(viewer)
        self.reference = LayerChoice(viewer, optional=True)
        self.modality = QComboBox()
        self.modality.addItems(MODALITIES)
        self.simulate = QCheckBox("Simulate: degrade this volume first")
        self.simulate.setToolTip("Makes the input from this volume and keeps the volume as reference")
        self.simulation = OptionFields()
        self.load = QPushButton("Load a measurement …")
        self.load.setToolTip("A sinogram or k-space from NumPy or HDF5: it becomes the volume of the run")
        self.volume_row = Row("Volume", self.volume, number="1", tip="The 3D image layer to translate")
        self.modality_row = Row(
            "Modality", self.modality, tip="Read from file name, BIDS suffix or DICOM tags; correct it here"
        )
        self.reference_row = Row(
            "Reference",
            self.reference,
            tip="The truth on the grid of the result, for PSNR and the error map",
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        parts = (self.volume_row, self.modality_row, self.load, self.simulate, self.simulation)
        for widget in (*parts, self.reference_row):
            layout.addWidget(widget)
        self._reference_touched = False
        self._may_simulate = True
        self.modality.activated.connect(self._on_modality)
        self.volume.layer_changed.connect(self._on_volume)
        self.reference.activated.connect(self._on_reference_touched)
        self.reference.layer_changed.connect(self._on_changed)
        self.simulate.toggled.connect(self._on_changed)
        self.simulation.changed.connect(self._on_changed)
        self.load.clicked.connect(self.load_asked)
        viewer.layers.events.inserted.connect(self._on_inserted)
        self._viewer = viewer
        self._on_volume()

    def close_fields(self) -> None:
        """Stop following the viewer."""
        self._viewer.layers.events.inserted.disconnect(self._on_inserted)
        self.volume.close_choice()
        self.reference.close_choice()

    def source_volume(self) -> Volume:
        """Return the chosen volume; `VolumeError` names the field where it cannot serve."""
        if self.volume.layer is None:
            raise VolumeError("Volume: no 3D image layer is open; open a file or File > Open Sample")
        return volume_of(self.volume.layer)

    def reference_volume(self) -> Volume | None:
        """Return the chosen reference, None without one."""
        layer = self.reference.layer
        return None if layer is None or self.simulate.isChecked() else volume_of(layer)

    def fit_to(self, task: Any) -> None:
        """Offer what the task can: to make the input from the volume, with its settings, or to read it."""
        self._may_simulate = task.simulates
        if not task.simulates:
            self.simulate.setChecked(False)
        self.simulate.setVisible(task.simulates)
        raw = getattr(task, "accepts_raw", False)
        self.simulate.setText(f"Simulate: {'measure' if raw else 'degrade'} this volume first")
        self.load.setVisible(raw)
        with QSignalBlocker(self.simulation):
            self.simulation.ask_for(options_of(getattr(task, "simulation", None)))
        self.simulation.setVisible(self.simulate.isChecked() and not self.simulation.empty)

    def missing_measurement(self, task: Any) -> str:
        """Return why a task that starts from a measurement cannot begin; empty where it can."""
        layer = self.volume.layer
        if layer is None or self.simulate.isChecked() or not getattr(task, "accepts_raw", False):
            return ""
        measured = layer.metadata.get(METADATA_KEY, {}).get("measured")
        return "" if measured is not None else "tick Simulate to measure this volume, or load a measurement"

    def shared_layers(self) -> list[Image]:
        """Return the layers whose window the results share."""
        layers = [self.volume.layer, None if self.simulate.isChecked() else self.reference.layer]
        return [layer for layer in layers if layer is not None]

    def _on_reference_touched(self) -> None:
        self._reference_touched = True

    def _on_inserted(self, event: object = None) -> None:
        self._propose_reference()

    def _on_modality(self) -> None:
        if self.volume.layer is not None:
            index = self.modality.currentIndex()
            set_modality(self.volume.layer, MODALITIES[index] if index else None)
            self._on_changed()

    def _show_modality(self) -> None:
        layer = self.volume.layer
        known = modality_of(layer) if layer is not None else None
        with QSignalBlocker(self.modality):
            self.modality.setCurrentText(known if known in MODALITIES else MODALITIES[0])

    def _on_volume(self) -> None:
        self._show_modality()
        self._propose_reference()
        self._on_changed()

    def _propose_reference(self) -> None:
        """Choose the finer layer over the same field of view, unless the user has chosen already."""
        source = self.volume.layer
        if source is None or self._reference_touched:
            return
        fitting = [
            layer for layer in self.reference.offered()
            if layer is not source and RESULT_KEY not in layer.metadata and same_field_of_view(source, layer)
        ]  # fmt: skip
        self.reference.choose(fitting[0] if fitting else None)

    def _on_changed(self) -> None:
        layer = self.volume.layer
        self.simulate.setEnabled(layer is not None)
        self.modality_row.allow("" if layer is not None else "open a volume first")
        self.volume_row.allow("" if layer is not None else "open a file or a sample first")
        self.reference_row.allow("the volume itself is the reference" if self.simulate.isChecked() else "")
        self.changed.emit()


def same_field_of_view(source: Image, other: Image) -> bool:
    """Whether ``other`` is finer than ``source`` and covers the same box in mm."""
    finer = all(b < a for a, b in zip(source.scale, other.scale, strict=True))
    boxes = []
    for layer in (source, other):
        low = layer.translate - layer.scale / 2
        boxes.append((low, low + layer.scale * layer.data.shape))
    (low_a, high_a), (low_b, high_b) = boxes
    slack = FIELD_OF_VIEW_VOXELS * other.scale
    return finer and bool((abs(low_a - low_b) <= slack).all() and (abs(high_a - high_b) <= slack).all())
