"""The differentiable local mutual information layer of MIDiffusion (Wang et al. 2023, 4.2).

At every position the window of X is held against windows of Y slid around it (definitions 3 to 5,
proposition 1): ``LMI(i) = max_tau MI(X[i + d], Y[i + tau + d])``, d running over the window. Repeating X
periodically and sliding Y, as the paper writes it, pairs exactly these values.

The joint histogram is a kernel density estimate on a grid of levels: each value gives a weight to every
level, a Gaussian around it, normalised to sum to one. So ``p(a, b)`` of all windows at once is the box
filter of the product of two weight maps, and no loop runs over positions.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from napari_vol2vol.errors import SettingsError

#: Keeps the logarithm of an empty cell finite; it changes no figure above 1e-10 nats.
TINY = 1e-12
#: Arrays of the size of a chunk that `joint_logarithms` holds at once: the product, sums of neighbours, their
#: total, a logarithm.
HELD = 5
#: Voxels of the images that are seen at once: on a GPU, and on a CPU, where a chunk should fit its cache.
VOXELS = (2**22, 2**14)


@dataclass(frozen=True)
class WindowSettings:
    """What a local mutual information is measured with.

    ``window`` is the edge of the neighbourhood in voxels (odd), ``shifts`` the positions of the sliding
    window along each axis, evenly spread from end to end of the neighbourhood (1: no sliding). ``levels`` and
    ``bandwidth`` (standard deviation, in distances of levels) are those of the density. ``chunk`` is how many
    cells of the joint histogram are held at once (0: as many as there are levels).
    """

    window: int = 5
    shifts: int = 3
    levels: int = 8
    bandwidth: float = 0.5
    chunk: int = 0

    def __post_init__(self) -> None:
        if self.window < 3 or self.window % 2 == 0:
            raise SettingsError(f"window: found {self.window}, accepted are odd numbers from 3")
        if not 1 <= self.shifts <= self.window:
            raise SettingsError(f"shifts: found {self.shifts}, accepted are 1 to the window, {self.window}")
        if self.levels < 2:
            raise SettingsError(f"levels: found {self.levels}, accepted are 2 and more")
        if not self.bandwidth > 0:
            raise SettingsError(f"bandwidth: found {self.bandwidth}, accepted are numbers above 0")
        if self.chunk < 0:
            raise SettingsError(f"chunk: found {self.chunk}, accepted are 0 (auto) and more")

    @property
    def radius(self) -> int:
        """Voxels from the middle of a window to its end, and the furthest slide."""
        return self.window // 2

    @property
    def offsets(self) -> tuple[int, ...]:
        """The slides along one axis, 0 among them where their number is odd."""
        if self.shifts == 1:
            return (0,)
        step = 2 * self.radius / (self.shifts - 1)
        return tuple(round(-self.radius + i * step) for i in range(self.shifts))

    @property
    def rows(self) -> int:
        """Levels of X whose cells are held at once."""
        return min(self.levels, max(1, self.chunk // self.levels))

    def images(self, shape: tuple[int, ...], device: str = "cpu") -> int:
        """Return how many images of a stack `(N, *S)` are seen at once."""
        return max(1, min(shape[0], VOXELS[device == "cpu"] // math.prod(shape[1:])))

    def peak_bytes(self, shape: tuple[int, ...], itemsize: int = 4) -> int:
        """Return the stated bound on the memory of a call on ``shape`` (N, *S) on a CPU, without gradients.

        ``itemsize * n * P * (4 * levels + 5 * rows * levels + 8) + itemsize * N * V``: the weights of both
        images and what they are made from, five arrays of a chunk (rows x levels cells), eight of one value
        a voxel, and the result. n is the `images` seen at once, P the voxels of the padded grid, V those of
        an image. With gradients every chunk is computed again on the way back, which holds as much once more.
        """
        padded = math.prod(n + 4 * self.radius for n in shape[1:])
        cells = 4 * self.levels + HELD * self.rows * self.levels + 8
        return itemsize * (self.images(shape) * padded * cells + math.prod(shape))


class LocalMutualInformation(nn.Module):
    """LMI of two stacks of images or volumes, in nats, for every position.

    What it does not change with, exactly: shifting or scaling the intensities of an image together with its
    range; turning them round inside the range; both for X and for Y, each by itself. Relabelling by any
    strictly monotone map leaves it exact only where each level keeps its own values (narrow ``bandwidth``,
    values on the levels); else nearly, as far as the map keeps contrasts above the bandwidth.

    ``LMI(X, X)`` is the largest that any Y can reach with X in that same limit, where it is the entropy of
    the window (theorem 1). A wide kernel blurs X: another image of the same structure but more contrast may
    then say more of it.

    Parameters
    ----------
    settings : WindowSettings
    x_range, y_range : pair of float
        The values of the first and last level; values beyond count as these.
    """

    def __init__(
        self,
        settings: WindowSettings | None = None,
        x_range: tuple[float, float] = (-1.0, 1.0),
        y_range: tuple[float, float] = (-1.0, 1.0),
    ) -> None:
        super().__init__()
        self.settings = settings or WindowSettings()
        for name, (low, high) in (("x_range", x_range), ("y_range", y_range)):
            if not low < high:
                raise SettingsError(f"{name}: found {low} to {high}, accepted is a lower and a higher value")
        self.x_range, self.y_range = x_range, y_range

    @property
    def largest(self) -> float:
        """What no value can exceed: the logarithm of the number of levels, or of the values in a window."""
        return math.log(self.settings.levels)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Return LMI(X, Y) `(N, *S)` in nats; edges are replicated beyond the grid.

        Parameters
        ----------
        x, y : Tensor, shape (N, H, W) or (N, D, H, W)

        Raises
        ------
        SettingsError
            If the shapes differ, or are of no images or volumes.
        """
        if x.shape != y.shape or x.ndim not in (3, 4):
            raise SettingsError(
                f"images: found {tuple(x.shape)} and {tuple(y.shape)}, accepted are two of one shape, "
                "(N, H, W) or (N, D, H, W)"
            )
        # a few images after one another: what a chunk holds then stays in the cache of a core
        group = self.settings.images(tuple(x.shape), x.device.type)
        pairs = zip(torch.split(x, group), torch.split(y, group), strict=True)
        return torch.cat([self._of_few(a, b) for a, b in pairs])

    def _of_few(self, x: Tensor, y: Tensor) -> Tensor:
        s, dims = self.settings, x.ndim - 1
        of_x = self._weights(x, s.radius, self.x_range)
        of_y = self._weights(y, 2 * s.radius, self.y_range)
        points = s.window**dims
        h_x, h_y = (-logarithms(box_sum(w, [s.window] * dims)) / points for w in (of_x, of_y))
        best: Tensor | None = None
        for slide in product(s.offsets, repeat=dims):
            start = [s.radius + n for n in slide]
            shifted = _cut(of_y, start, of_x.shape[2:])
            joint = self._joint(of_x, shifted) / points
            found = _cut(h_y[:, None], start, x.shape[1:])[:, 0] + joint
            best = found if best is None else torch.maximum(best, found)
        assert best is not None
        total: Tensor = h_x + best + math.log(points)
        return total

    def _weights(self, image: Tensor, pad: int, limits: tuple[float, float]) -> Tensor:
        """Return how much each value counts for each level, `(N, levels, *S + 2 pad)`."""
        levels, (low, high) = self.settings.levels, limits
        padded = F.pad(image[:, None], [pad, pad] * (image.ndim - 1), mode="replicate")
        position = ((padded - low) * ((levels - 1) / (high - low))).clamp(0, levels - 1)
        grid = torch.arange(levels, dtype=image.dtype, device=image.device)
        distance = (position - grid.reshape(-1, *[1] * (image.ndim - 1))) / self.settings.bandwidth
        return torch.softmax(distance.square().mul(-0.5), dim=1)

    def _joint(self, of_x: Tensor, of_y: Tensor) -> Tensor:
        """Return the sum of `logarithms` over all cells, `(N, *S)`, a chunk of them at a time."""
        total: Tensor | None = None
        for rows in self._chunks(of_x):
            if torch.is_grad_enabled() and (of_x.requires_grad or of_y.requires_grad):
                part = checkpoint(joint_logarithms, rows, of_y, self.settings.window, use_reentrant=False)
            else:
                part = joint_logarithms(rows, of_y, self.settings.window)
            total = part if total is None else total + part
        assert total is not None
        return total

    def _chunks(self, of_x: Tensor) -> Iterator[Tensor]:
        yield from torch.split(of_x, self.settings.rows, dim=1)


def joint_logarithms(of_x: Tensor, of_y: Tensor, window: int) -> Tensor:
    """Return ``sum n ln n`` over the cells of these levels, n being what a window counts in one, `(N, *S)`.

    Parameters
    ----------
    of_x : Tensor, shape (N, A, *S + window - 1)
    of_y : Tensor, shape (N, B, *S + window - 1)
    """
    dims = of_x.ndim - 2
    cells = (of_x[:, :, None] * of_y[:, None]).flatten(1, 2)
    return logarithms(box_sum(cells, [window] * dims))


def logarithms(counts: Tensor) -> Tensor:
    """Return ``sum n ln n`` over axis 1: with N the sum of n, the entropy is ``ln N - sum n ln n / N``."""
    return (counts * (counts + TINY).log()).sum(1)


def box_sum(maps: Tensor, window: Sequence[int]) -> Tensor:
    """Return the sum over every whole window along the last axes, each shorter by its window - 1.

    Sums of 1, 2, 4, ... neighbours are put together, so an axis costs about ``log2(window)`` additions.
    """
    for axis, size in enumerate(window, start=maps.ndim - len(window)):
        maps = _along(maps, size, axis)
    return maps


def _along(maps: Tensor, window: int, axis: int) -> Tensor:
    length = maps.shape[axis] - window + 1
    total: Tensor | None = None
    reach, start, power = 1, 0, maps
    left = window
    while left:
        if left & 1:
            part = power.narrow(axis, start, length)
            total = part if total is None else total + part
            start += reach
        left >>= 1
        if left:
            size = power.shape[axis] - reach
            power = power.narrow(axis, 0, size) + power.narrow(axis, reach, size)
            reach *= 2
    assert total is not None
    return total


def _cut(maps: Tensor, start: list[int], size: tuple[int, ...]) -> Tensor:
    """Return the block of ``size`` at ``start`` of the last axes."""
    for axis, (first, length) in enumerate(zip(start, size, strict=True), start=maps.ndim - len(size)):
        maps = maps.narrow(axis, first, length)
    return maps


__all__ = ["LocalMutualInformation", "WindowSettings", "box_sum", "joint_logarithms", "logarithms"]
