"""What the numbers can show, in plain sentences."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDoubleSpinBox, QLabel, QScrollArea

from napari_vol2vol.study.design import Study
from napari_vol2vol.study.planner import plan_of, plan_words
from napari_vol2vol.ui.designer.tab import Tab
from napari_vol2vol.ui.row import Row

DEFAULT_TRIALS = 20


class PlanTab(Tab):
    """The planner for the study's blocks, margin and level; twenty trials where there are no blocks yet."""

    def __init__(self, study: Study) -> None:
        super().__init__(study)
        self.true, self.power = QDoubleSpinBox(), QDoubleSpinBox()
        for spin, value, low in ((self.true, 0.7, 0.0), (self.power, 0.8, 0.5)):
            spin.setRange(low, 0.99)
            spin.setSingleStep(0.05)
            spin.setValue(value)
            spin.valueChanged.connect(self._plan)
        self.lines.addWidget(
            Row("To be found", self.true, tip="Share of right answers that the study should find")
        )
        self.lines.addWidget(Row("Power", self.power, tip="How surely"))
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.words.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setWidget(self.words)
        self.lines.addWidget(area, stretch=1)
        self._planned: object = None
        self.show_study(study)

    def show_study(self, study: Study) -> None:
        """Plan for a study; nothing is computed while the tab is hidden."""
        super().show_study(study)
        if self.isVisible():
            self._plan()

    def showEvent(self, event: object) -> None:  # noqa: N802
        """Plan for what the study says now."""
        super().showEvent(event)
        self._plan()

    def _plan(self) -> None:
        study = self.study
        per_reader = study.allocation.per_reader
        sizes = {
            block.title or block.name: min(len(block.items), per_reader or len(block.items))
            for block in study.blocks
            if block.items
        }
        wanted = (tuple(sizes.items()), self.true.value(), self.power.value(), study.margin, study.alpha)
        if wanted == self._planned:
            return
        self._planned = wanted
        found = plan_of(
            sizes or {f"{DEFAULT_TRIALS} trials": DEFAULT_TRIALS}, true=round(self.true.value(), 3),
            power=round(self.power.value(), 3), margin=study.margin, alpha=study.alpha,
        )  # fmt: skip
        self.words.setText("\n\n".join(plan_words(found)))
