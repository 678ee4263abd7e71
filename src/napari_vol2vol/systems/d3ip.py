"""D3IP (Chung and Ye 2024, algorithm 2): the prior adapts to the volume, from K of its slices a step."""

from __future__ import annotations

from napari_vol2vol.sampling.adaptation import VolumeAdaptation
from napari_vol2vol.sampling.consistency import Corrected
from napari_vol2vol.systems.assembly import Assembly, Context
from napari_vol2vol.systems.reconstruction import problem_of


def build(context: Context) -> Assembly:
    """Assemble theta <- argmin E_i |y_i - A CG(D_theta(x_t,i), M)|^2 (eq. 13), x̂0 = CG(D_theta(x_t), M)."""
    p = problem_of(context)
    weights, correction = p.low_rank(), p.proximal()
    adapted = VolumeAdaptation(
        p.prior, correction, weights, p.adaptation(), tick=context.tick, rest=context.rest
    )
    return p.assembled(Corrected(adapted, correction), weights)
