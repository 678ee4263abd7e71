"""Readers, window, analysis and margin, washout, allocation: what is fixed before reading."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QLineEdit, QSpinBox, QWidget

from napari_vol2vol.ct_windows import CT_WINDOWS
from napari_vol2vol.study.check import ANALYSES
from napari_vol2vol.study.design import Allocation, Reader, Study, WindowPolicy
from napari_vol2vol.ui.designer.tab import Tab, parts
from napari_vol2vol.ui.option_fields import editor_write
from napari_vol2vol.ui.row import Row

PERCENTILES = "percentiles"
NO_MARGIN = "none"


class RulesTab(Tab):
    """Every field is taken over when it is left."""

    def __init__(self, study: Study) -> None:
        super().__init__(study)
        self.title, self.readers, self.end = QLineEdit(), QLineEdit(), QLineEdit()
        self.seed, self.per_reader, self.anchors = QSpinBox(), QSpinBox(), QSpinBox()
        self.window_, self.presets = QComboBox(), QLineEdit()
        self.low, self.high = QDoubleSpinBox(), QDoubleSpinBox()
        self.locked, self.counterbalance = QCheckBox("locked"), QCheckBox("counterbalance blocks")
        self.analysis = QComboBox()
        self.margin, self.alpha, self.washout = QDoubleSpinBox(), QDoubleSpinBox(), QDoubleSpinBox()
        self._set_up()
        for label, fields, tip in (
            ("Title", (self.title,), "Readers see it"),
            ("Readers", (self.readers,), "Codes with commas, not names of persons"),
            ("Analysis", (self.analysis,), "What the margin is for, fixed before reading"),
            ("Margin", (self.margin,), "Equivalence margin as a proportion: 0.15 is 15 points"),
            ("Alpha", (self.alpha,), "Level of the tests"),
            ("Window", (self.window_, self.locked), "How volumes are shown first; locked: cannot be changed"),
            ("Percentiles", (self.low, self.high), "Shown black and white, over all volumes of a trial"),
            ("Presets", (self.presets,), f"CT windows that readers may choose: {', '.join(CT_WINDOWS)}"),
            ("Washout", (self.washout,), "Days between two blocks that show the same case"),
            ("Per reader", (self.per_reader, self.anchors), "How many items of a block a reader reads, and "
             "how many of them are the same for all; 0: all"),
            ("Blocks", (self.counterbalance,), "Balance the order of blocks over readers"),
            ("End", (self.end,), "What readers see at the end"),
            ("Seed", (self.seed,), "Of everything that is drawn"),
        ):  # fmt: skip
            self.lines.addWidget(Row(label, *fields, tip=tip))
        self.lines.addStretch()
        self.show_study(study)
        for field in self._fields():
            signal = next(
                getattr(field, name)
                for name in ("editingFinished", "activated", "clicked")
                if hasattr(field, name)
            )
            signal.connect(self.take_over)

    def _set_up(self) -> None:
        self.window_.addItems([PERCENTILES, *CT_WINDOWS])
        self.analysis.addItems(ANALYSES)
        self.seed.setRange(0, 2**31 - 1)
        self.per_reader.setSpecialValueText("all")
        for spin in (self.per_reader, self.anchors):
            spin.setRange(0, 10_000)
        for spin in (self.low, self.high):
            spin.setRange(0, 100)
        self.margin.setRange(0, 0.49)
        self.margin.setSingleStep(0.05)
        self.margin.setSpecialValueText(NO_MARGIN)
        self.alpha.setRange(0.001, 0.499)
        self.alpha.setDecimals(3)
        self.alpha.setSingleStep(0.01)
        self.washout.setRange(0, 1000)
        self.washout.setSuffix(" days")

    def _fields(self) -> list[QWidget]:
        return [
            self.title, self.readers, self.end, self.seed, self.per_reader, self.anchors, self.window_,
            self.presets, self.low, self.high, self.locked, self.counterbalance, self.analysis, self.margin,
            self.alpha, self.washout,
        ]  # fmt: skip

    def show_study(self, study: Study) -> None:
        """Show the rules of a study."""
        super().show_study(study)
        window, allocation = study.window, study.allocation
        values: dict[QWidget, Any] = {
            self.title: study.title,
            self.readers: ", ".join(reader.name for reader in study.readers),
            self.end: study.end_text,
            self.seed: study.seed,
            self.per_reader: allocation.per_reader or 0,
            self.anchors: allocation.anchors,
            self.window_: window.preset or PERCENTILES,
            self.presets: ", ".join(window.presets),
            self.low: window.percentiles[0],
            self.high: window.percentiles[1],
            self.locked: window.locked,
            self.counterbalance: study.counterbalance,
            self.analysis: study.analysis,
            self.margin: study.margin or 0.0,
            self.alpha: study.alpha,
            self.washout: study.washout_days,
        }
        for field, value in values.items():
            with QSignalBlocker(field):
                editor_write(field, value)
        for spin in (self.low, self.high):
            spin.setEnabled(window.preset is None)

    def take_over(self) -> None:
        """Take all fields over where one changed."""
        changed = self.changed_study()
        if changed != self.study:
            self.edited.emit(changed)

    def changed_study(self) -> Study:
        """Return the study with what the fields say."""
        known = {reader.name: reader for reader in self.study.readers}
        preset = self.window_.currentText()
        return replace(
            self.study,
            title=self.title.text().strip(),
            readers=tuple(known.get(name, Reader(name)) for name in parts(self.readers.text())),
            end_text=self.end.text(),
            seed=self.seed.value(),
            allocation=Allocation(self.per_reader.value() or None, self.anchors.value()),
            window=WindowPolicy(
                None if preset == PERCENTILES else preset,
                (self.low.value(), self.high.value()),
                self.locked.isChecked(),
                parts(self.presets.text()),
            ),
            counterbalance=self.counterbalance.isChecked(),
            analysis=self.analysis.currentText(),
            margin=round(self.margin.value(), 4) or None,
            alpha=round(self.alpha.value(), 4),
            washout_days=self.washout.value(),
        )
