"""The volumes of one trial on the screen: three planes each, everything linked."""

from __future__ import annotations

from functools import partial

from qtpy.QtCore import QPointF, QSize, Qt, Signal
from qtpy.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from napari_vol2vol.anatomical_planes import PLANES, Plane
from napari_vol2vol.ui.reading.plane_canvas import PlaneCanvas
from napari_vol2vol.ui.reading.view_state import DRAG_UP, Limits, ViewState, dragged

HEADING = "color: #ffd166; font-size: 15px; font-weight: 600; padding: 1px;"
#: Where the planes (axial, coronal, sagittal) lie in the grid of a volume: row, column, rows, columns.
Places = tuple[tuple[int, int, int, int], ...]
_ONE: Places = ((0, 0, 2, 1), (0, 1, 1, 1), (1, 1, 1, 1))
_PAIR: Places = ((0, 0, 1, 2), (1, 0, 1, 1), (1, 1, 1, 1))
_SET: Places = ((0, 0, 1, 1), (1, 0, 1, 1), (2, 0, 1, 1))


def headings(count: int) -> tuple[str, ...]:
    """Return what stands over each volume: nothing, the side, or the position from 1."""
    if count == 1:
        return ("",)
    return ("Left", "Right") if count == 2 else tuple(str(n) for n in range(1, count + 1))


class CaseViews(QWidget):
    """Three canvases a volume. ``windowed`` comes at the end of a change of the window."""

    changed = Signal()
    windowing = Signal()
    windowed = Signal(float, float)

    def __init__(self, state: ViewState, *, locked: bool = False, drag_up: str = DRAG_UP[0]) -> None:
        super().__init__()
        self.state, self.locked, self.drag_up = state, locked, drag_up
        self.large = False
        self.active: Plane = PLANES[0]
        self.active_position = 0
        self._drag: Limits | None = None
        self.canvases: list[PlaneCanvas] = []
        self._grids: list[tuple[QGridLayout, Places]] = []
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(10)
        places = _ONE if len(state.volumes) == 1 else _PAIR if len(state.volumes) == 2 else _SET
        for position, heading in enumerate(headings(len(state.volumes))):
            row.addWidget(self._block(position, heading, places), stretch=1)
        self._show()

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return a size that takes all room there is."""
        return QSize(1600, 900)

    def _block(self, position: int, heading: str, places: Places) -> QWidget:
        block = QWidget()
        column = QVBoxLayout(block)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        if heading:
            label = QLabel(heading)
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
            label.setStyleSheet(HEADING)
            column.addWidget(label)
        grid = QGridLayout()
        grid.setSpacing(3)
        for plane, place in zip(PLANES, places, strict=True):
            canvas = self._canvas(position, plane)
            grid.addWidget(canvas, *place)
        self._grids.append((grid, places))
        column.addLayout(grid, stretch=1)
        return block

    def _canvas(self, position: int, plane: Plane) -> PlaneCanvas:
        canvas = PlaneCanvas(self, self.state, position, plane)
        canvas.activated.connect(partial(self.activate, plane, position))
        canvas.pointed.connect(partial(self._point, canvas))
        canvas.scrolled.connect(partial(self.scroll, plane))
        canvas.zoomed.connect(lambda factor, at: self.zoom(factor))
        canvas.panned.connect(partial(self._pan, canvas))
        canvas.windowing_began.connect(self._begin_window)
        canvas.windowed.connect(self._drag_window)
        canvas.windowing_ended.connect(self._end_window)
        canvas.enlarged.connect(partial(self.enlarge, plane))
        self.canvases.append(canvas)
        return canvas

    # ------------------------------------------------------------------ what keys and mouse do

    def activate(self, plane: Plane, position: int = 0) -> None:
        """Choose the plane that the keyboard scrolls, and the volume that a mark belongs to."""
        self.active, self.active_position = plane, position
        self._show()

    def step(self, by: int) -> None:
        """Go to the next or the previous canvas: planes of one volume, then those of the next."""
        places = [(c.position, c.plane) for c in self.canvases]
        now = places.index((self.active_position, self.active))
        position, plane = places[(now + by) % len(places)]
        self.activate(plane, position)

    def scroll(self, plane: Plane | None, slices: int) -> None:
        """Scroll a plane (the active one) in all volumes."""
        self.state.scroll(plane or self.active, slices)
        self._moved()

    def zoom(self, factor: float) -> None:
        """Zoom all views."""
        self.state.zoom_by(factor)
        self._show()

    def enlarge(self, plane: Plane | None = None) -> None:
        """Show one plane (the active one) alone in all volumes, or all of them again."""
        self.large = not self.large
        if plane is not None:
            self.active = plane
        self._moved()

    def reset(self) -> None:
        """Go back to the first view, all planes shown."""
        self.state.reset()
        self.large = False
        self._moved()

    def set_limits(self, limits: Limits) -> None:
        """Show another window and tell it; nothing happens where the study locks it."""
        if self.locked or limits == self.state.limits:
            return
        self.state.limits = limits
        self._show()
        self.windowing.emit()
        self.windowed.emit(*self.state.window())

    def nudge_window(self, right_px: float, down_px: float) -> None:
        """Change the window as a drag by so many pixels would."""
        self.set_limits(dragged(self.state.limits, right_px, down_px, self.drag_up))

    def set_mark(self, mm: tuple[float, float, float] | None, position: int) -> None:
        """Show a mark in one volume."""
        for canvas in self.canvases:
            canvas.mark_mm = mm if canvas.position == position else None
            canvas.update()

    def seen(self) -> list[tuple[int, str, int]]:
        """Return what is on the screen: position, plane and slice."""
        shown = [c for c in self.canvases if not self.large or c.plane is self.active]
        return [(c.position, c.plane.name, self.state.index(c.position, c.plane)) for c in shown]

    # ------------------------------------------------------------------ reactions

    def _point(self, canvas: PlaneCanvas, at: QPointF) -> None:
        self.state.move_to(canvas.to_mm(at))
        self._moved()

    def _pan(self, canvas: PlaneCanvas, pixels: QPointF) -> None:
        self.state.pan(canvas.moved_mm(pixels))
        self._show()

    def _begin_window(self) -> None:
        self._drag = self.state.limits

    def _drag_window(self, right_px: float, down_px: float) -> None:
        if self.locked or self._drag is None:
            return
        self.state.limits = dragged(self._drag, right_px, down_px, self.drag_up)
        self._show()
        self.windowing.emit()

    def _end_window(self) -> None:
        if not self.locked and self._drag not in (None, self.state.limits):
            self.windowed.emit(*self.state.window())
        self._drag = None

    def _moved(self) -> None:
        self._show()
        self.changed.emit()

    def _show(self) -> None:
        for canvas in self.canvases:
            canvas.setVisible(not self.large or canvas.plane is self.active)
            canvas.active = canvas.plane is self.active and canvas.position == self.active_position
            canvas.update()
        for grid, places in self._grids:
            _share_out(grid, places, PLANES.index(self.active) if self.large else None)


def _share_out(grid: QGridLayout, places: Places, alone: int | None) -> None:
    """Give the axial plane a little more room than the others, or all room to one plane."""
    shares = {_ONE: ((1, 1), (3, 2)), _PAIR: ((6, 5), (1, 1)), _SET: ((1, 1, 1), (1,))}[places]
    for spans, share, stretch in (
        ((0, 2), shares[0], grid.setRowStretch),
        ((1, 3), shares[1], grid.setColumnStretch),
    ):
        start, length = spans
        for line, part in enumerate(share):
            place = None if alone is None else places[alone]
            kept = place is None or place[start] <= line < place[start] + place[length]
            stretch(line, part if kept else 0)
