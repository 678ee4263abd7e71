"""DiffusionMBIR (Chung et al. 2023): total variation along z from what the fixed prior says."""

from __future__ import annotations

from napari_vol2vol.sampling.consistency import Corrected
from napari_vol2vol.systems.assembly import Assembly, Context
from napari_vol2vol.systems.reconstruction import problem_of


def build(context: Context) -> Assembly:
    """Assemble x̂0 = argmin 1/2 |y - A x|^2 + w |D_z x|_1 by ADMM from D(x_t), carried from step to step."""
    p = problem_of(context)
    return p.assembled(Corrected(p.prior, p.mbir()))
