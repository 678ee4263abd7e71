"""The thin bar over the three views: convention, reset, main canvas, and what the run is doing."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QPushButton, QSizePolicy, QWidget
from superqt import QElidingLabel

from napari_vol2vol.anatomical_planes import Convention
from napari_vol2vol.ct_windows import CT_WINDOWS

#: What the window menu says where the limits are nobody's preset.
OWN_WINDOW = "CT window"


class ViewsBar(QWidget):
    """Buttons as signals; knows nothing of the views."""

    convention_changed = Signal(str)
    reset_asked = Signal()
    canvas_toggled = Signal(bool)
    ct_window_chosen = Signal(str)

    def __init__(self, convention: Convention) -> None:
        super().__init__()
        self._convention = QPushButton()
        self._convention.setToolTip(
            "Radiological: the patient's right is on the left of the screen. Click for the other convention."
        )
        self._reset = QPushButton("Reset views")
        self._reset.setToolTip("Fit all planes and centre the crosshair (R)")
        self._canvas = QPushButton("Main canvas")
        self._canvas.setCheckable(True)
        self._canvas.setToolTip("Show napari's own canvas as well, for 3D rendering and editing")
        self._ct_window = QComboBox()
        self._ct_window.setToolTip("Usual windows of CT, in HU; a right-drag in a view changes them freely")
        self._ct_window.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._ct_window.addItem(OWN_WINDOW)
        for name, window in CT_WINDOWS.items():
            self._ct_window.addItem(f"{name.capitalize()}  W {window.width:g}  L {window.level:g}", name)
        self._ct_window.hide()
        self._run = QElidingLabel()
        self._run.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._run.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for button in (self._convention, self._reset, self._canvas):
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            layout.addWidget(button)
        layout.addWidget(self._ct_window)
        layout.addWidget(self._run, stretch=1)
        self.show_convention(convention)
        self._convention.clicked.connect(self._on_convention)
        self._reset.clicked.connect(self.reset_asked)
        self._canvas.toggled.connect(self.canvas_toggled)
        self._ct_window.activated.connect(self._on_ct_window)

    def main_canvas_wanted(self) -> bool:
        """Whether napari's own canvas should be seen beside the three views."""
        return self._canvas.isChecked()

    def show_convention(self, convention: Convention) -> None:
        """Name the convention that is in force."""
        self._current = convention
        self._convention.setText(convention.capitalize())

    def show_ct_window(self, limits: tuple[float, float] | None) -> None:
        """Name the preset that black and white in HU are, if any; None hides the menu: it is no CT."""
        self._ct_window.setVisible(limits is not None)
        if limits is None:
            return
        near = [
            name
            for name, window in CT_WINDOWS.items()
            if all(abs(a - b) < 0.5 for a, b in zip(window.limits, limits, strict=True))
        ]
        self._ct_window.setCurrentIndex(self._ct_window.findData(near[0]) if near else 0)

    def _on_ct_window(self, index: int) -> None:
        if name := self._ct_window.itemData(index):
            self.ct_window_chosen.emit(name)

    def show_run_status(self, text: str) -> None:
        """Show what the run is doing."""
        self._run.setText(text)
        self._run.setToolTip(text)

    def _on_convention(self) -> None:
        self.convention_changed.emit("neurological" if self._current == "radiological" else "radiological")
