"""Where the body is in a CT: networks look there alone, and what is air around it stays as it is."""

from __future__ import annotations

import torch
from scipy import ndimage
from torch import Tensor

from napari_vol2vol.sampling.flow import Velocity

Box = tuple[slice, slice, slice]
#: Model space, HU / 1000: fat and denser.
DENSE = -0.4
#: Parts of fewer voxels than this share of the largest are no body: table, tubes, blankets.
SHARE = 0.03
#: Every so many voxels are looked at along an axis, and so many are left around the body.
STRIDE, MARGIN = 4, 12


def body_box(ct: Tensor, multiple: int) -> Box:
    """Return the smallest box around the body with a margin, its edges divisible as the network asks for.

    Parameters
    ----------
    ct : Tensor, shape (D, H, W)
        In model space. Without anything dense the box is all of it.
    multiple : int
        A power of two. An axis that is not divisible by it keeps the power of two that divides it.
    """
    coarse = (ct[::STRIDE, ::STRIDE, ::STRIDE] > DENSE).cpu().numpy()
    parts, count = ndimage.label(coarse)
    if not count:
        return slice(0, ct.shape[0]), slice(0, ct.shape[1]), slice(0, ct.shape[2])
    sizes = ndimage.sum_labels(coarse, parts, range(1, count + 1))
    found = ndimage.find_objects(parts)
    kept = [box for box, size in zip(found, sizes, strict=True) if size >= SHARE * sizes.max()]
    a, b, c = (
        _widened(min(box[i].start for box in kept), max(box[i].stop for box in kept), n, multiple)
        for i, n in enumerate(ct.shape)
    )
    return a, b, c


def _widened(start: int, stop: int, size: int, multiple: int) -> slice:
    """Return a range of coarse voxels as one of fine voxels, with the margin, inside ``size``."""
    multiple = min(size & -size, multiple)
    low = max(0, start * STRIDE - MARGIN)
    high = min(size, stop * STRIDE + MARGIN)
    need = -(-(high - low) // multiple) * multiple
    low = max(0, min(low, size - need))
    return slice(low, low + need)


def inside(velocity: Velocity, box: Box) -> Velocity:
    """Return the velocity that is zero outside the box and sees nothing of what is there."""

    def boxed(x: Tensor, t: float) -> Tensor:
        found = velocity(x[box], t)
        if found.shape == x.shape:
            return found
        out = torch.zeros_like(x)
        out[box] = found
        return out

    return boxed


__all__ = ["Box", "body_box", "inside"]
