"""D3IP with DiffusionMBIR (Chung and Ye 2024, eq. 14 and 15): K neighbouring slices a step."""

from __future__ import annotations

from napari_vol2vol.sampling.adaptation import VolumeAdaptation
from napari_vol2vol.sampling.consistency import Corrected
from napari_vol2vol.systems.assembly import Assembly, Context
from napari_vol2vol.systems.reconstruction import problem_of


def build(context: Context) -> Assembly:
    """Assemble D3IP whose correction is ADMM for total variation along z, in the loss and in the sampling."""
    p = problem_of(context)
    weights, correction = p.low_rank(), p.mbir(context.options["loss_admm_steps"])
    adapted = VolumeAdaptation(
        p.prior,
        correction,
        weights,
        p.adaptation(),
        neighbours=True,
        tick=context.tick,
        rest=context.rest,
    )
    return p.assembled(Corrected(adapted, correction), weights)
