"""The three anatomical planes: the axis they stack along, how they lie on the screen, their letters.

Pure geometry, no Qt. World coordinates are mm in the order (z, y, x), growing towards superior, anterior and
the patient's right (RAS+).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Convention = Literal["radiological", "neurological"]
CONVENTIONS: tuple[Convention, ...] = ("radiological", "neurological")

#: (letter towards which the axis grows, letter it comes from) for z, y, x.
AXIS_LETTERS = (("S", "I"), ("A", "P"), ("R", "L"))


@dataclass(frozen=True)
class Plane:
    """One plane: ``axis`` is sliced, ``vertical`` grows upwards on the screen, ``horizontal`` across it."""

    name: str
    title: str
    axis: int
    vertical: int
    horizontal: int

    def grows_right(self, convention: Convention) -> bool:
        """Whether the horizontal axis grows towards the right edge of the screen.

        Radiological puts the patient's right on screen left; sagittal keeps anterior on the left in both.
        """
        return self.name != "sagittal" and convention == "neurological"

    def orientation2d(self, convention: Convention) -> tuple[str, str]:
        """Return napari's ``camera.orientation2d``: superior (anterior in axial slices) up."""
        return "up", "right" if self.grows_right(convention) else "left"

    def letters(self, convention: Convention = "radiological") -> dict[str, str]:
        """Return the anatomical letters at the ``left``, ``right``, ``top`` and ``bottom`` edge."""
        high, low = AXIS_LETTERS[self.horizontal]
        left, right = (low, high) if self.grows_right(convention) else (high, low)
        top, bottom = AXIS_LETTERS[self.vertical]
        return {"left": left, "right": right, "top": top, "bottom": bottom}

    def order(self, ndim: int) -> tuple[int, ...]:
        """Return ``dims.order`` for layers of ``ndim`` axes whose last three are z, y, x."""
        lead = max(ndim - 3, 0)
        return (*range(lead), lead + self.axis, lead + self.vertical, lead + self.horizontal)


AXIAL = Plane("axial", "Axial", axis=0, vertical=1, horizontal=2)
CORONAL = Plane("coronal", "Coronal", axis=1, vertical=0, horizontal=2)
SAGITTAL = Plane("sagittal", "Sagittal", axis=2, vertical=0, horizontal=1)
PLANES = (AXIAL, CORONAL, SAGITTAL)


def position_text(axis: int, mm: float) -> str:
    """Return a coordinate with its anatomical sign, e.g. ``"L 34.5"`` for x = -34.5 mm."""
    value = round(abs(mm), 1)
    high, low = AXIS_LETTERS[axis]
    return f"{high if mm >= 0 or value == 0 else low} {value:.1f}"


def point_text(world: tuple[float, float, float]) -> str:
    """Return a whole position, patient axes first: ``"R 3.0  P 12.5  S 40.0 mm"``."""
    return "  ".join(position_text(axis, world[axis]) for axis in (2, 1, 0)) + " mm"
