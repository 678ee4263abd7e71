"""SCD (Barbano et al. 2023): the prior adapts to each slice, with one CG step in the loss."""

from __future__ import annotations

from napari_vol2vol.sampling.adaptation import SliceAdaptation
from napari_vol2vol.sampling.consistency import Corrected
from napari_vol2vol.systems.assembly import Assembly, Context
from napari_vol2vol.systems.reconstruction import problem_of


def build(context: Context) -> Assembly:
    """Assemble theta_i <- argmin |y_i - A CG(D_theta(x_t,i), 1)|^2, then x̂0 = CG(D_theta(x_t,i), M)."""
    p = problem_of(context)
    weights = p.low_rank()
    adapted = SliceAdaptation(p.prior, p.proximal(1), weights, p.adaptation(), tick=context.tick)
    return p.assembled(Corrected(adapted, p.proximal()), weights)
