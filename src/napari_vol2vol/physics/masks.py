"""Which places of k-space are sampled. Masks are boolean arrays with the zero frequency at index n // 2."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_vol2vol.errors import SettingsError

Mask = NDArray[np.bool_]
PATTERNS = ("random", "equispaced")


def uniform_1d(
    shape: tuple[int, int],
    acceleration: float = 4.0,
    centre_fraction: float = 0.08,
    *,
    pattern: str = "random",
    axis: int = -1,
    seed: int = 0,
) -> Mask:
    """Return a mask of whole lines: a fully sampled centre, and lines of uniform density beside it.

    After fastMRI (Zbontar et al. 2018): ``round(n / acceleration)`` lines in all, of them
    ``round(n centre_fraction)`` auto-calibration lines in the middle. The others are drawn without
    replacement (``random``) or spread evenly (``equispaced``).

    Parameters
    ----------
    shape : (H, W)
    axis : int
        The axis that is undersampled; lines run along the other one.

    Raises
    ------
    SettingsError
        If the pattern is unknown, or the centre alone has more lines than the acceleration leaves.
    """
    lines = shape[axis]
    wanted, centre = round(lines / acceleration), round(lines * centre_fraction)
    if pattern not in PATTERNS:
        raise SettingsError(f"pattern: found {pattern!r}, accepted are {', '.join(PATTERNS)}")
    if acceleration < 1 or wanted < 1 or not 0 <= centre <= wanted:
        raise SettingsError(
            f"acceleration, centre_fraction: found {acceleration}, {centre_fraction} on {lines} lines, "
            "accepted are an acceleration of 1 or more whose lines hold those of the centre"
        )
    sampled = np.zeros(lines, bool)
    first = (lines - centre + 1) // 2
    sampled[first : first + centre] = True
    free = np.flatnonzero(~sampled)
    if pattern == "random":
        chosen = np.random.default_rng(seed).permutation(free)[: wanted - centre]
    else:
        chosen = free[np.linspace(0, len(free), wanted - centre, endpoint=False).astype(int)]
    sampled[chosen] = True
    lines_of = sampled[None] if axis in (-1, 1) else sampled[:, None]
    return np.ascontiguousarray(np.broadcast_to(lines_of, shape))


def poisson_disc(
    shape: tuple[int, int],
    acceleration: float = 8.0,
    *,
    calibration: tuple[int, int] = (16, 16),
    corners: bool = False,
    seed: int = 0,
) -> Mask:
    """Return a variable-density Poisson-disc mask with exactly ``round(H W / acceleration)`` places.

    No two places are nearer than a distance that grows linearly from 1 at the centre outwards; the growth is
    searched for until the wanted number of places just fits (the pattern of Dwork et al. 2021; the density
    falls like sigpy's `mri.poisson`). Every place left out is blocked by one that is in, but for the few that
    are dropped at random to hit the number.

    Parameters
    ----------
    shape : (H, W)
        The two phase-encoding axes.
    calibration : (h, w)
        Size of the fully sampled centre.
    corners : bool
        Whether places beyond the inscribed ellipse are sampled too.

    Raises
    ------
    SettingsError
        If the centre alone has more places than the acceleration leaves, or the ellipse too few.
    """
    wanted = round(shape[0] * shape[1] / acceleration)
    centre = np.zeros(shape, bool)
    low = [(n - c + 1) // 2 for n, c in zip(shape, calibration, strict=True)]
    centre[low[0] : low[0] + calibration[0], low[1] : low[1] + calibration[1]] = True
    offsets = [(np.arange(n) - n // 2) / (n / 2) for n in shape]
    radius = np.hypot(offsets[0][:, None], offsets[1][None])
    allowed = np.ones(shape, bool) if corners else radius <= 1
    if acceleration < 1 or not centre.sum() <= wanted <= (allowed | centre).sum():
        raise SettingsError(
            f"acceleration: found {acceleration} on {shape} places, accepted are those that leave between "
            f"{centre.sum()} (the centre) and {(allowed | centre).sum()} places"
        )
    rng = np.random.default_rng(seed)
    order = rng.permutation(np.flatnonzero(allowed & ~centre))
    mask = _just_enough(centre, radius, order, wanted)
    surplus = int(mask.sum()) - wanted
    mask.flat[rng.permutation(np.flatnonzero(mask & ~centre))[:surplus]] = False
    return mask


def _just_enough(centre: Mask, radius: NDArray[np.float64], order: NDArray[np.int64], wanted: int) -> Mask:
    """Return the sparsest pattern found with at least ``wanted`` places, by bisection of the growth."""
    low, high = 0.0, float(max(centre.shape))
    best = _thrown(centre, np.ones_like(radius), order)
    for _ in range(14):
        middle = (low + high) / 2
        mask = _thrown(centre, 1 + middle * radius, order)
        if mask.sum() >= wanted:
            low, best = middle, mask
        else:
            high = middle
    return best


def _thrown(centre: Mask, distance: NDArray[np.float64], order: NDArray[np.int64]) -> Mask:
    """Throw darts in a given order: a place is in unless an earlier one lies nearer than its own distance."""
    mask, blocked = centre.copy(), np.zeros(centre.shape, bool)
    height, width = centre.shape
    reach = np.ceil(distance).astype(int) - 1
    longest = int(reach.max())
    squared = np.square(np.arange(-longest, longest + 1))
    disc = squared[:, None] + squared[None]
    for place in order.tolist():
        y, x = divmod(place, width)
        if blocked[y, x]:
            continue
        mask[y, x] = True
        r = int(reach[y, x])
        top, left = max(0, y - r), max(0, x - r)
        bottom, right = min(height, y + r + 1), min(width, x + r + 1)
        near = disc[longest + top - y : longest + bottom - y, longest + left - x : longest + right - x]
        blocked[top:bottom, left:right] |= near < distance[y, x] ** 2
    return mask
