"""Curves of recorded runs against the step, with a dot that moves with the slider."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_vol2vol.ui.line_plot import LinePlot, PlotLine

if TYPE_CHECKING:
    from napari_vol2vol.engine.trajectory import StepFacts
    from napari_vol2vol.evaluation.recorded_run import Trajectory

DOT = "#ffd166"
#: Of a plot, in pixels: three of them fit beside the other fields on a small screen.
LEAST_HEIGHT = 96
#: (name, colour, value of a step's facts) by plot; ᾱ is alpha squared.
Curve = tuple[str, str, Callable[["StepFacts"], float | None]]
CURVES: dict[str, tuple[Curve, ...]] = {
    "Noise schedule": (
        ("ᾱ(t)", "#4cc9f0", lambda f: None if f.alpha is None else f.alpha**2),
        ("σ(t)", "#f28482", lambda f: f.sigma),
    ),
    "Data residual |A x̂0 - y| / |y|, log10": (("residual", "#4cc9f0", lambda f: _log10(f.residual)),),
    "PSNR of x̂0 in dB": (("PSNR", "#8ac926", lambda f: f.psnr),),
}


class TrajectoryPlots(QWidget):
    """A plot for each of `CURVES` that was recorded; a second run is dashed."""

    def __init__(self) -> None:
        super().__init__()
        self.plots = {title: LinePlot(title, "step") for title in CURVES}
        self.lines: dict[str, tuple[PlotLine, ...]] = {}
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for plot in self.plots.values():
            plot.setVisible(False)
            plot.setMinimumHeight(LEAST_HEIGHT)
            layout.addWidget(plot)

    def show_runs(self, runs: Sequence[tuple[Trajectory, int, int]]) -> None:
        """Show (run, sample, step at the slider) of the first run and of one beside it."""
        for title, curves in CURVES.items():
            lines: list[PlotLine] = []
            for number, (run, sample, step) in enumerate(runs):
                lines += _lines(run, sample, step, curves, beside=number > 0)
            self.lines[title] = tuple(lines)
            self.plots[title].setVisible(bool(lines))
            self.plots[title].set_lines(lines)


def _lines(
    run: Trajectory, sample: int, step: int, curves: Sequence[Curve], *, beside: bool
) -> list[PlotLine]:
    lines = []
    for name, colour, value in curves:
        points = {s: value(f) for (n, s), f in sorted(run.facts.items()) if n == sample}
        points = {s: v for s, v in points.items() if v is not None}
        if not points:
            continue
        title = f"{name} beside" if beside else name
        lines.append(PlotLine(title, list(points), list(points.values()), colour, dashed=beside))
        if step in points:
            lines.append(PlotLine("", [step], [points[step]], DOT, dots=True))
    return lines


def _log10(value: float | None) -> float | None:
    return None if value is None else math.log10(max(value, 1e-12))
