"""The point that the three planes share, in mm."""

from __future__ import annotations

from qtpy.QtCore import QObject, Signal

World = tuple[float, float, float]


class Crosshair(QObject):
    """A world position (z, y, x) in mm; ``moved`` is emitted only where it really changes."""

    moved = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._position: World = (0.0, 0.0, 0.0)

    @property
    def position(self) -> World:
        """World position (z, y, x) in mm."""
        return self._position

    def move(self, position: World) -> None:
        """Move to a world position (main thread)."""
        z, y, x = (float(value) for value in position)
        if max(abs(a - b) for a, b in zip((z, y, x), self._position, strict=True)) > 1e-6:
            self._position = (z, y, x)
            self.moved.emit(self._position)
