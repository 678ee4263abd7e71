"""Three planes of a volume as one picture: letters, scale bar, window, who generated it. Pillow only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from napari_vol2vol.anatomical_planes import AXIAL, CORONAL, SAGITTAL, Convention, Plane, position_text
from napari_vol2vol.ct_windows import window_text
from napari_vol2vol.errors import SettingsError
from napari_vol2vol.volume import Volume

Colour = tuple[int, int, int]
#: Colours from low to high, evenly spaced. ``uncertainty`` is the magma of matplotlib at nine points.
COLOURS: dict[str, tuple[Colour, ...]] = {
    "gray": ((0, 0, 0), (255, 255, 255)),
    "uncertainty": ((0, 0, 4), (28, 16, 68), (79, 18, 123), (129, 37, 129), (181, 54, 122), (229, 80, 100),
                    (251, 135, 97), (254, 194, 135), (252, 253, 191)),
    "error": ((89, 191, 255), (0, 0, 0), (255, 153, 26)),
}  # fmt: skip
BACKGROUND, LETTER, TEXT = (0, 0, 0), (255, 209, 102), (216, 220, 226)
MARGIN, LINE = 8, 18
#: Length of a scale bar: the longest of these that fits a quarter of the picture.
BARS_MM = (100, 50, 20, 10, 5, 2, 1)
#: Longest edge of a plane in pixels.
EDGE = 360


@dataclass(frozen=True)
class Look:
    """How values become colours: ``limits`` are those shown as the first and the last of ``COLOURS``."""

    limits: tuple[float, float]
    colours: str = "gray"

    def paint(self, values: NDArray[np.floating]) -> NDArray[np.uint8]:
        """Return `(rows, columns, 3)`."""
        low, high = self.limits
        share = np.clip((values - low) / max(high - low, 1e-12), 0, 1)
        table = np.array(COLOURS[self.colours], np.float64)
        at = np.linspace(0, 1, len(table))
        channels = [np.interp(share, at, table[:, c]) for c in range(3)]
        return np.stack(channels, axis=-1).round().astype(np.uint8)


def look_of(volume: Volume, kind: str = "gray") -> Look:
    """Return a look for an image, an ``uncertainty`` from 0, or an ``error`` that is symmetric about 0."""
    few = volume.data[::2, ::2, ::2]
    if kind == "gray":
        low, high = float(few.min()), float(np.percentile(few, 99.8))
    else:
        high = float(np.percentile(np.abs(few), 99.5))
        low = 0.0 if kind == "uncertainty" else -high
    return Look((low, high) if high > low else (low, low + 1.0), kind)


def middle_of(volume: Volume) -> tuple[int, int, int]:
    """Return the voxel in the middle (z, y, x)."""
    z, y, x = (n // 2 for n in volume.shape)
    return z, y, x


def voxel_at(volume: Volume, mm: Sequence[float]) -> tuple[int, int, int]:
    """Return the voxel (z, y, x) at a position in mm (x, y, z; growing to right, anterior, superior).

    Raises
    ------
    SettingsError
        If it lies outside the volume.
    """
    # the canonical grid grows towards the patient's right, anterior, superior
    index = np.linalg.inv(volume.affine) @ [*mm, 1.0]
    z, y, x = (round(float(i)) for i in index[2::-1])
    if any(not 0 <= i < n for i, n in zip((z, y, x), volume.shape, strict=True)):
        raise SettingsError(f"at: found {tuple(mm)} mm (x, y, z), which lies outside {volume.name}")
    return z, y, x


def three_views(
    volume: Volume,
    look: Look,
    *,
    at: tuple[int, int, int] | None = None,
    convention: Convention = "radiological",
    title: str = "",
    lines: Sequence[str] = (),
    edge: int = EDGE,
) -> Image.Image:
    """Return axial, sagittal and coronal planes through a voxel, and text in the fourth field.

    Parameters
    ----------
    at : (z, y, x), optional
        Voxel; the middle by default.
    lines : sequence of str
        What stands below the title: who generated it, figures of a step.
    edge : int
        Pixels of the longest edge of the volume.
    """
    point = at or middle_of(volume)
    size = [n * s for n, s in zip(volume.shape, volume.spacing_mm, strict=True)]
    scale = edge / max(size)
    panels = {p.name: _panel(volume, look, p, point, scale, convention) for p in (AXIAL, CORONAL, SAGITTAL)}
    left = max(panels["axial"].width, panels["coronal"].width)
    top = max(panels["axial"].height, panels["sagittal"].height)
    right = max(panels["sagittal"].width, 240)
    bottom = max(panels["coronal"].height, (len(lines) + 3) * LINE + MARGIN)
    sheet = Image.new("RGB", (left + right + 4, top + bottom + 4), BACKGROUND)
    for name, corner in (("axial", (0, 0)), ("sagittal", (left + 4, 0)), ("coronal", (0, top + 4))):
        sheet.paste(panels[name], corner)
    draw = ImageDraw.Draw(sheet)
    words = [title, window_text(look.limits) + (f" {volume.units}" if volume.units else ""), *lines]
    for number, text in enumerate(words):
        draw.text((left + 4 + MARGIN, top + 4 + MARGIN + number * LINE), text, TEXT, _font(12))
    return sheet


def png(picture: Image.Image) -> bytes:
    """Return a picture as PNG."""
    stream = BytesIO()
    picture.save(stream, "PNG", optimize=True)
    return stream.getvalue()


def _panel(
    volume: Volume, look: Look, plane: Plane, point: Sequence[int], scale: float, convention: Convention
) -> Image.Image:
    """Return one plane, superior (or anterior) up, with letters, position and scale bar."""
    values = np.take(volume.data, point[plane.axis], axis=plane.axis)[::-1]
    if not plane.grows_right(convention):
        values = values[:, ::-1]
    mm = volume.spacing_mm
    width = max(1, round(values.shape[1] * mm[plane.horizontal] * scale))
    height = max(1, round(values.shape[0] * mm[plane.vertical] * scale))
    picture = Image.fromarray(look.paint(values)).resize((width, height), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(picture)
    letters = plane.letters(convention)
    places = {"left": ((MARGIN, height / 2), "lm"), "right": ((width - MARGIN, height / 2), "rm"),
              "top": ((width / 2, MARGIN), "mt"), "bottom": ((width / 2, height - MARGIN), "mb")}  # fmt: skip
    for side, (xy, anchor) in places.items():
        _write(draw, xy, letters[side], LETTER, 15, anchor)
    position = float((volume.affine @ [*point[::-1], 1])[2 - plane.axis])
    _write(draw, (MARGIN, MARGIN), f"{position_text(plane.axis, position)} mm", TEXT, 11, "lt")
    _scale_bar(draw, width, height, scale)
    return picture


def _scale_bar(draw: ImageDraw.ImageDraw, width: int, height: int, scale: float) -> None:
    fitting = [mm for mm in BARS_MM if mm * scale <= width / 4]
    if not fitting:
        return
    end, y = width - MARGIN, height - MARGIN
    start = end - fitting[0] * scale
    draw.line([(start - 2, y), (end + 2, y)], BACKGROUND, 6)
    draw.line([(start, y), (end, y)], TEXT, 2)
    _write(draw, ((start + end) / 2, y - 4), f"{fitting[0]} mm", TEXT, 10, "mb")


def _write(
    draw: ImageDraw.ImageDraw, xy: tuple[float, float], text: str, colour: Colour, size: int, anchor: str
) -> None:
    draw.text(xy, text, colour, _font(size), anchor=anchor, stroke_width=2, stroke_fill=BACKGROUND)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


__all__ = ["COLOURS", "Look", "look_of", "middle_of", "png", "three_views", "voxel_at"]
