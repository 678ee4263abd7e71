"""Where the panels of a figure lie, in inches from its top left."""

from __future__ import annotations

import textwrap

from napari_vol2vol.anatomical_planes import Plane
from napari_vol2vol.evaluation.framing import Frame

COLUMN, GAP, PLANE_GAP, LEFT, RIGHT, BOTTOM = 1.55, 0.04, 0.16, 0.42, 0.1, 0.1  # inches
TITLE_LINE, HEADING = 0.2, 0.42
PARTS = ("slice", "zoom", "uncertainty", "error")


class Grid:
    """Columns of one width, rows as high as their slices; ``title`` is its first line, then a wrapped one."""

    def __init__(self, frame: Frame, columns: int, title: list[str]) -> None:
        self.width = LEFT + columns * (COLUMN + GAP) + RIGHT
        self.title = [title[0], *textwrap.wrap(title[1], int((self.width - LEFT) * 17))]
        y = 0.12 + TITLE_LINE * len(self.title) + HEADING
        self.rows: dict[tuple[str, str], tuple[float, float]] = {}
        for plane in frame.planes:
            for part in PARTS:
                ratio = frame.zoom_ratio(plane) if part == "zoom" else frame.ratio(plane)
                self.rows[plane.name, part] = (y, COLUMN * ratio)
                y += COLUMN * ratio + GAP
            y += PLANE_GAP
        self.height = y - PLANE_GAP + BOTTOM

    def rectangle(self, plane: Plane, part: str, column: int) -> tuple[float, float, float, float]:
        """Return (left, bottom, width, height) of a panel in shares of the figure."""
        top, height = self.rows[plane.name, part]
        left = LEFT + column * (COLUMN + GAP)
        return (
            left / self.width, 1 - (top + height) / self.height, COLUMN / self.width, height / self.height,
        )  # fmt: skip
