"""D3IP-meta (Chung and Ye 2024, eq. 30): Reptile steps over the volume, then fine-tuning to each slice."""

from __future__ import annotations

from napari_vol2vol.sampling.adaptation import SliceAdaptation, VolumeAdaptation, one_after_the_other
from napari_vol2vol.sampling.consistency import Corrected
from napari_vol2vol.systems.assembly import Assembly, Context
from napari_vol2vol.systems.reconstruction import problem_of


def build(context: Context) -> Assembly:
    """Assemble D3IP with meta steps, then DDIP from its weights, from the same noise."""
    p, o = problem_of(context), context.options
    weights, correction = p.low_rank(), p.proximal()
    first = VolumeAdaptation(
        p.prior,
        correction,
        weights,
        p.adaptation(),
        meta=(o["meta_first"], o["meta_last"]),
        tick=context.tick,
        rest=context.rest,
    )
    then = SliceAdaptation(
        p.prior, correction, weights, p.adaptation(o["fine_iterations"]), from_current=True, tick=context.tick
    )
    both = [Corrected(first, correction), Corrected(then, correction)]
    return p.assembled(both[0], weights, lambda sampler: one_after_the_other(sampler, both))
