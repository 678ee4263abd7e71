"""The further inputs a bundle wants: one layer a modality, with what to do where grids differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QVBoxLayout, QWidget

from napari_vol2vol.errors import VolumeError
from napari_vol2vol.registration import available
from napari_vol2vol.ui.layer_choice import LayerChoice
from napari_vol2vol.ui.layer_volume import modality_of, volume_of
from napari_vol2vol.ui.result_layers import RESULT_KEY
from napari_vol2vol.ui.row import Row
from napari_vol2vol.volume import Volume

if TYPE_CHECKING:
    from napari.components import ViewerModel


class ConditionFields(QWidget):
    """Hidden while the bundle wants the source alone; ``changed`` is emitted when any choice changes."""

    changed = Signal()

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self._viewer = viewer
        self.choices: dict[str, LayerChoice] = {}
        self.rows: dict[str, Row] = {}
        self.resample = QCheckBox("Resample what lies on another grid")
        self.resample.setToolTip("Interpolates conditions and reference linearly onto the grid of the result")
        self.resample.toggled.connect(self.changed)
        self.register = QCheckBox("Register the reference first")
        self.register.setToolTip("Deformable, by mutual information (SimpleITK); takes seconds to a minute")
        self.register.toggled.connect(self.changed)
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(4)
        self._layout.addWidget(self.resample)
        self._layout.addWidget(self.register)
        viewer.layers.events.inserted.connect(self._propose)

    def close_fields(self) -> None:
        """Stop following the viewer."""
        self._viewer.layers.events.inserted.disconnect(self._propose)
        for choice in self.choices.values():
            choice.close_choice()

    def ask_for(self, modalities: Sequence[str], *, may_resample: bool, may_register: bool = False) -> None:
        """Offer one layer choice for each modality; choices that stay wanted keep their layer."""
        self.register.setVisible(may_register)
        self.register.setEnabled(available())
        if not available():
            self.register.setText("Register the reference first (needs SimpleITK)")
        if not may_register:
            self.register.setChecked(False)
        for name in [name for name in self.choices if name not in modalities]:
            self.choices.pop(name).close_choice()
            row = self.rows.pop(name)
            self._layout.removeWidget(row)
            row.deleteLater()
        for name in modalities:
            if name not in self.choices:
                self._add(name)
        self.resample.setVisible(may_resample)
        self.setVisible(bool(modalities) or may_resample or may_register)
        self._propose()

    def missing(self) -> str:
        """Return which condition has no layer yet, as a sentence; empty where all have one."""
        names = [name for name, choice in self.choices.items() if choice.layer is None]
        return f"choose the {' and '.join(names)} layer: this bundle also needs it" if names else ""

    def volumes(self) -> dict[str, Volume]:
        """Return the chosen volumes by modality; `VolumeError` names one without a layer."""
        if text := self.missing():
            raise VolumeError(f"Conditions: {text}")
        return {name: volume_of(choice.layer) for name, choice in self.choices.items()}

    def _add(self, name: str) -> None:
        choice = LayerChoice(self._viewer, optional=True)
        choice.layer_changed.connect(self._on_changed)
        self.choices[name] = choice
        self.rows[name] = Row(name, choice, tip=f"The {name} volume of the same head")
        self._layout.insertWidget(self._layout.count() - 2, self.rows[name])

    def _propose(self, event: object = None) -> None:
        """Choose a layer of the right modality where none is chosen."""
        for name, choice in self.choices.items():
            choice.refresh()  # the viewer may tell us of a layer before it tells the choice
            fitting = [
                layer
                for layer in choice.offered()
                if modality_of(layer) == name and RESULT_KEY not in layer.metadata
            ]
            if choice.layer is None and fitting:
                choice.choose(fitting[0])
            self.rows[name].allow("" if choice.offered() else f"open a {name} volume")

    def _on_changed(self) -> None:
        self.changed.emit()
