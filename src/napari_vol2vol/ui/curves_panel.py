"""The fourth panel: residual (log scale) and PSNR of a run, live."""

from __future__ import annotations

from qtpy.QtCore import QSize
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_vol2vol.ui.curves import Curves
from napari_vol2vol.ui.small_plot import SmallPlot

#: (key in `Curves.lines`, title, unit, log scale, colour)
PLOTS = (
    ("residual", "Data residual  |A x − y| / |y|", "", True, "#4cc9f0"),
    ("psnr", "PSNR against the reference", "dB", False, "#ffd166"),
)


class CurvesPanel(QWidget):
    """Follows the `Curves` of a session; PSNR takes room only where a reference gives one."""

    def __init__(self, curves: Curves, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._curves = curves
        self.plots = {key: SmallPlot(title, unit, log, colour) for key, title, unit, log, colour in PLOTS}
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2, 2, 2, 2)
        layout.setSpacing(2)
        for plot in self.plots.values():
            layout.addWidget(plot)
        curves.changed.connect(self._on_changed)
        self._on_changed()

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Return the size down to which a plot stays readable."""
        return QSize(140, 110)

    def close_curves(self) -> None:
        """Stop following; can be called twice."""
        self._curves.changed.disconnect(self._on_changed, missing_ok=True)

    def _on_changed(self) -> None:
        for key, plot in self.plots.items():
            lines = self._curves.lines.get(key, {})
            plot.setVisible(key == "residual" or bool(lines))
            plot.set_lines(list(lines.values()), self._curves.steps)
