"""The usual display windows of CT, in Hounsfield units, and a window in words. Imports nothing."""

from __future__ import annotations

from typing import NamedTuple


class Window(NamedTuple):
    """Shows values from ``level - width / 2`` (black) to ``level + width / 2`` (white)."""

    width: float
    level: float

    @property
    def limits(self) -> tuple[float, float]:
        """The values shown black and white."""
        return self.level - self.width / 2, self.level + self.width / 2


CT_WINDOWS: dict[str, Window] = {
    "abdomen": Window(400, 40),
    "lung": Window(1500, -600),
    "mediastinum": Window(350, 50),
    "liver": Window(150, 30),
    "bone": Window(1800, 400),
    "brain": Window(80, 40),
    "angio": Window(600, 300),
    "subdural": Window(200, 75),
    "stroke": Window(40, 40),
}


def window_text(limits: tuple[float, float]) -> str:
    """Return ``"W 80  L 40"`` with the decimals that the width deserves."""
    low, high = limits
    decimals = 0 if high - low >= 20 else 1 if high - low >= 2 else 3
    return f"W {high - low:.{decimals}f}  L {(low + high) / 2:.{decimals}f}"
