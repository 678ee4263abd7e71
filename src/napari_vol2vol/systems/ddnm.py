"""DDNM (Wang et al. 2023): what was measured replaces what the fixed prior says of it."""

from __future__ import annotations

from napari_vol2vol.sampling.consistency import ddnm
from napari_vol2vol.sampling.gradients import whole
from napari_vol2vol.systems.assembly import Assembly, Context
from napari_vol2vol.systems.reconstruction import problem_of


def build(context: Context) -> Assembly:
    """Assemble x̂0 = D(x_t) + A^+ (y - A D(x_t))."""
    p = problem_of(context)
    return p.assembled(ddnm(p.prior, p.operator, whole(p.y), slice_batch=context.slice_batch))
