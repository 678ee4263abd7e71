"""DDIP (Chung and Ye 2024, algorithm 1): the prior adapts to each slice, with the CG of the sampling."""

from __future__ import annotations

from napari_vol2vol.sampling.adaptation import SliceAdaptation
from napari_vol2vol.sampling.consistency import Corrected
from napari_vol2vol.systems.assembly import Assembly, Context
from napari_vol2vol.systems.reconstruction import problem_of


def build(context: Context) -> Assembly:
    """Assemble theta_i <- argmin |y_i - A CG(D_theta(x_t,i), M)|^2 (eq. 11), x̂0 = CG(D_theta(x_t,i), M)."""
    p = problem_of(context)
    weights, correction = p.low_rank(), p.proximal()
    adapted = SliceAdaptation(p.prior, correction, weights, p.adaptation(), tick=context.tick)
    return p.assembled(Corrected(adapted, correction), weights)
