"""DDS (Chung et al. 2024): conjugate gradients from what the fixed prior says."""

from __future__ import annotations

from napari_vol2vol.sampling.consistency import Corrected
from napari_vol2vol.systems.assembly import Assembly, Context
from napari_vol2vol.systems.reconstruction import problem_of


def build(context: Context) -> Assembly:
    """Assemble x̂0 = CG(D(x_t), M), which starts at argmin 1/2 |y - A x|^2 + gamma/2 |x - D(x_t)|^2."""
    p = problem_of(context)
    return p.assembled(Corrected(p.prior, p.proximal()))
