"""Steps 2 to 4 of the *Translate* dock: task, system, bundle, steps and samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QComboBox, QSpinBox, QVBoxLayout, QWidget

from napari_vol2vol.ui.bundle_info import BundleInfo
from napari_vol2vol.ui.row import Row

if TYPE_CHECKING:
    from napari_vol2vol.ui.catalogue import Catalogue

DEFAULT_SAMPLES = 5
NO_BUNDLE = "no bundle installed"
#: As `bundles.library.PRIOR_TASK`; which prior fits is known when the image has been measured.
PRIOR_TASK, AUTOMATIC = "reconstruction-prior", "Automatic: the prior that fits the image"


class MethodFields(QWidget):
    """Emits ``changed`` when any choice changes; what cannot work is greyed with the reason beside it."""

    changed = Signal()

    def __init__(self, catalogue: Catalogue) -> None:
        super().__init__()
        self._catalogue = catalogue
        self._cards: list[Any] = []
        self.task, self.system, self.bundle = QComboBox(), QComboBox(), QComboBox()
        self.steps, self.samples = QSpinBox(), QSpinBox()
        for box, value in ((self.steps, 12), (self.samples, DEFAULT_SAMPLES)):
            box.setRange(1, 1000)
            box.setValue(value)
        self.info = BundleInfo()
        self.system_row = Row("System", self.system, number="3", tip="The method that serves the task")
        self.bundle_row = Row("Bundle", self.bundle, tip="Trained weights")
        self.steps_row = Row("Steps", self.steps, number="4", tip="Sampling steps: more are slower and finer")
        self.samples_row = Row(
            "Samples", self.samples, tip="Independent samples; uncertainty needs two or more"
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        task_row = Row("Task", self.task, number="2", tip="What to do")
        for row in (task_row, self.system_row, self.bundle_row, self.info, self.steps_row, self.samples_row):
            layout.addWidget(row)
        for name, task in catalogue.tasks.items():
            self.task.addItem(task.title, name)
        self._fill_systems()
        self.task.currentIndexChanged.connect(self._on_task)
        self.system.currentIndexChanged.connect(self._on_system)
        self.bundle.currentIndexChanged.connect(self._on_bundle)
        self.steps.valueChanged.connect(self.changed)
        self.samples.valueChanged.connect(self.changed)

    @property
    def card(self) -> Any | None:
        """The card of the chosen bundle, None where none is needed or none is there."""
        index = max(self.bundle.currentIndex() - self._automatic, 0)
        return self._cards[index] if index < len(self._cards) else None

    @property
    def _automatic(self) -> bool:
        """Whether the first entry leaves the choice to the engine: which prior has the image's channels."""
        return bool(self._cards) and getattr(self._cards[0], "task", "") == PRIOR_TASK

    @property
    def _chosen(self) -> Any | None:
        """The card that the user chose, None where the engine is to choose."""
        return None if self._automatic and self.bundle.currentIndex() == 0 else self.card

    @property
    def system_info(self) -> Any:
        """The chosen system."""
        return self._catalogue.systems[self.system.currentData()]

    @property
    def task_object(self) -> Any:
        """The chosen task."""
        return self._catalogue.tasks[self.task.currentData()]

    @property
    def inputs(self) -> tuple[str, ...]:
        """The conditions that the networks of the chosen bundle want."""
        return () if self.card is None else tuple(self._catalogue.inputs_of(self.card))

    def values(self) -> dict[str, Any]:
        """Return the fields of a `Translation` that are chosen here."""
        return {
            "task": self.task.currentData(),
            "system": self.system.currentData(),
            "bundle": None if self._chosen is None else self._chosen.name,
            "steps": self.steps.value(),
            "samples": self.samples.value(),
        }

    def choose_system(self, name: str) -> None:
        """Choose a system by name."""
        self.system.setCurrentIndex(self.system.findData(name))

    def choose_bundle(self, name: str) -> bool:
        """Choose a bundle by its name; False where it is not offered."""
        names = [card.name for card in self._cards]
        if name in names:
            self.bundle.setCurrentIndex(names.index(name) + self._automatic)
        return name in names

    def _on_task(self) -> None:
        self._fill_systems()
        self.changed.emit()

    def _on_system(self) -> None:
        self._fill_bundles()
        self.changed.emit()

    def _on_bundle(self) -> None:
        self._show_card()
        self.changed.emit()

    def _fill_systems(self) -> None:
        """Offer the systems of the task; those without an installed bundle are greyed and say so."""
        task = self.task.currentData()
        usable = []
        with QSignalBlocker(self.system):
            self.system.clear()
            for name in self._catalogue.tasks[task].systems:
                info = self._catalogue.systems[name]
                works = not info.needs_bundle or bool(self._catalogue.list_bundles(task, name))
                self.system.addItem(info.title if works else f"{info.title} – {NO_BUNDLE}", name)
                index = self.system.count() - 1
                self.system.setItemData(index, getattr(info, "description", ""), Qt.ItemDataRole.ToolTipRole)
                self.system.model().item(index).setEnabled(works)
                usable += [index] if works else []
            self.system.setCurrentIndex(usable[0] if usable else 0)
        self._fill_bundles()

    def _fill_bundles(self) -> None:
        info = self.system_info
        task = self.task.currentData()
        self._cards = list(self._catalogue.list_bundles(task, info.name)) if info.needs_bundle else []
        with QSignalBlocker(self.bundle):
            self.bundle.clear()
            self.bundle.addItems([AUTOMATIC] if self._automatic else [])
            self.bundle.addItems([card.title for card in self._cards])
        reason = f"{info.title} needs none" if not info.needs_bundle else "" if self._cards else NO_BUNDLE
        self.bundle_row.allow(reason)
        self.steps_row.allow("" if info.stochastic else f"{info.title} is one call")
        self.samples_row.allow("" if info.stochastic else "it has no randomness")
        self.steps.setValue(self._default_steps())
        self._show_card()

    def _default_steps(self) -> int:
        """Return the steps a run starts with: those of the system for its bundle, or the bundle's own."""
        info = self.system_info
        own = getattr(info, "steps", None)
        return int(own(self.card) if own else getattr(self.card, "default_steps", 0) or info.default_steps)

    def _show_card(self) -> None:
        self.info.show_card(self._chosen)
        self.bundle.setToolTip(self.bundle.currentText())
