"""Random ellipses: a prior without any patient, and a phantom whose sinogram is known in closed form.

The distributions are those of the Ellipses data sets of Barbano et al. (2022, 2023), on which the prior of
Steerable Conditional Diffusion was trained that DDIP (Chung and Ye 2024) adapts; DDIP itself states none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_vol2vol.errors import SettingsError

FloatArray = NDArray[np.float64]
Image = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Ellipses:
    """Ellipses that add up, in coordinates where the longer side of the image runs from -1 to 1, y up.

    ``value`` (n,) is added inside; ``axes`` (n, 2) are half lengths, ``centre`` (n, 2) is (x, y), ``angle``
    (n,) turns the first axis from x towards y, in radians.
    """

    value: FloatArray
    axes: FloatArray
    centre: FloatArray
    angle: FloatArray


@dataclass(frozen=True)
class Recipe:
    """How ellipses are drawn.

    Their number is Poisson with mean ``count``, cut off there; values are uniform in ``values``, half axes
    exponential with mean ``size``. Centres are uniform in the square up to ``reach``, or in the disc of that
    radius.
    """

    count: int = 70
    values: tuple[float, float] = (-0.4, 1.0)
    size: float = 0.2
    reach: float = 0.9
    disc: bool = False


#: ``square`` fills the image; ``disc`` is what the prior of SCD and DDIP was trained on.
RECIPES: dict[str, Recipe] = {
    "square": Recipe(),
    "disc": Recipe(count=140, size=0.2 * 0.4745, reach=0.4745, disc=True),
}


def random_ellipses(rng: np.random.Generator, recipe: Recipe | str = "square") -> Ellipses:
    """Draw ellipses.

    Raises
    ------
    SettingsError
        For an unknown name of a recipe.
    """
    if isinstance(recipe, str):
        if recipe not in RECIPES:
            raise SettingsError(f"ellipses: found {recipe!r}, accepted are {', '.join(RECIPES)}")
        recipe = RECIPES[recipe]
    n = max(1, min(int(rng.poisson(recipe.count)), recipe.count))
    value = rng.uniform(*recipe.values, n)
    axes = recipe.size * rng.exponential(1.0, (n, 2))
    if recipe.disc:
        radius, around = recipe.reach * np.sqrt(rng.uniform(0, 1, n)), rng.uniform(0, 2 * np.pi, n)
        centre = np.stack([radius * np.cos(around), radius * np.sin(around)], 1)
    else:
        centre = rng.uniform(-recipe.reach, recipe.reach, (n, 2))
    return Ellipses(value, axes, centre, rng.uniform(0, 2 * np.pi, n))


def render(ellipses: Ellipses, shape: tuple[int, int], *, oversampling: int = 1) -> FloatArray:
    """Return the image `(H, W)`: the value in the middle of each pixel, or the mean over a finer grid."""
    height, width = (n * oversampling for n in shape)
    half = max(height, width) / 2
    image = np.zeros((height, width))
    x = (np.arange(width) - (width - 1) / 2) / half
    y = ((height - 1) / 2 - np.arange(height)) / half
    parts = zip(ellipses.value, ellipses.axes, ellipses.centre, ellipses.angle, strict=True)
    for value, (a, b), (x0, y0), angle in parts:
        across = np.hypot(a * np.cos(angle), b * np.sin(angle))
        up = np.hypot(a * np.sin(angle), b * np.cos(angle))
        columns = slice(*np.searchsorted(x, [x0 - across, x0 + across]))
        rows = slice(*np.searchsorted(-y, [-y0 - up, -y0 + up]))
        dx, dy = x[columns][None] - x0, y[rows][:, None] - y0
        u = (dx * np.cos(angle) + dy * np.sin(angle)) / max(a, 1e-12)
        v = (dy * np.cos(angle) - dx * np.sin(angle)) / max(b, 1e-12)
        image[rows, columns] += value * (u**2 + v**2 <= 1)
    blocks = image.reshape(shape[0], oversampling, shape[1], oversampling)
    return np.asarray(blocks.mean(axis=(1, 3)))


def phantom(
    seed: int, shape: tuple[int, int], recipe: Recipe | str = "square", *, channels: int = 1
) -> Image:
    """Return a training image `(channels, H, W)`: its foreground scaled to [0, 1], the background 0.

    With two channels it is complex, real and imaginary part, its magnitude in [0, 1] and its phase smooth:
    a random polynomial of second order that spans about half a turn.

    Raises
    ------
    SettingsError
        For another number of channels or an unknown recipe.
    """
    if channels not in (1, 2):
        raise SettingsError(f"channels: found {channels}, accepted are 1 (magnitude) and 2 (complex)")
    rng = np.random.default_rng(seed)
    image = render(random_ellipses(rng, recipe), shape)
    inside = image != 0
    image[inside] -= image.min()
    image /= max(image.max(), 1e-12)
    if channels == 1:
        return image[None].astype(np.float32)
    return with_phase(image, smooth_phase(rng, shape))


def smooth_phase(rng: np.random.Generator, shape: tuple[int, ...]) -> FloatArray:
    """Return a phase `(H, W)` in radians: a random polynomial of second order, about half a turn wide."""
    y, x = np.meshgrid(*[np.linspace(-1, 1, n) for n in shape], indexing="ij")
    terms = np.stack([np.ones_like(x), x, y, x * y, x**2, y**2])
    return np.asarray(np.tensordot(rng.normal(0, [np.pi, 0.5, 0.5, 0.3, 0.3, 0.3]), terms, 1))


def with_phase(magnitude: NDArray[np.floating[Any]], phase: FloatArray) -> Image:
    """Return real and imaginary part `(2, H, W)`."""
    return np.stack([magnitude * np.cos(phase), magnitude * np.sin(phase)]).astype(np.float32)


def line_integrals(ellipses: Ellipses, angle: FloatArray, position: FloatArray) -> FloatArray:
    """Return exact integrals along the lines ``x cos(angle) + y sin(angle) = position`` (broadcast).

    ``2 v a b sqrt(w^2 - s^2) / w^2`` for each ellipse, with its half width w seen from that angle and the
    distance s of the line from its centre (Kak and Slaney 1988, eq. 3.5).
    """
    total = np.zeros(np.broadcast(angle, position).shape)
    for value, half, w, s in _seen_from(ellipses, angle, position):
        total = total + 2 * value * half * np.sqrt(np.clip(w**2 - s**2, 0, None)) / w**2
    return total


def sinogram(
    ellipses: Ellipses, shape: tuple[int, int], angles_deg: FloatArray, bins: int, spacing: float = 1.0
) -> FloatArray:
    """Return the parallel-beam sinogram `(views, bins)`: exact mean line integrals over bins, in pixels.

    ``spacing`` is the width of a bin in pixels of an image of ``shape``.
    """
    half = max(shape) / 2
    edges = np.asarray((np.arange(bins + 1) - bins / 2) * spacing / half, np.float64)
    angles = np.deg2rad(np.asarray(angles_deg, np.float64))[:, None]
    total = np.zeros((len(angles), bins + 1))
    for value, area, w, s in _seen_from(ellipses, angles, edges[None]):
        inside = np.clip(s, -w, w)
        chord = inside * np.sqrt(w**2 - inside**2) + w**2 * np.arcsin(inside / w)
        total = total + value * area * chord / w**2
    return np.asarray(np.diff(total, axis=1) * half**2 / spacing)


def _seen_from(
    ellipses: Ellipses, angle: FloatArray, position: FloatArray
) -> Iterator[tuple[float, float, FloatArray, FloatArray]]:
    """Yield for each ellipse its value, the product of its half axes, its half width and the distance."""
    parts = zip(ellipses.value, ellipses.axes, ellipses.centre, ellipses.angle, strict=True)
    for value, (a, b), (x0, y0), turn in parts:
        width = np.hypot(a * np.cos(angle - turn), b * np.sin(angle - turn))
        distance = position - (x0 * np.cos(angle) + y0 * np.sin(angle))
        yield value, a * b, width, distance
