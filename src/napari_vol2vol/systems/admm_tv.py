"""Total variation in 3D by ADMM: the strongest baseline without a network."""

from __future__ import annotations

from torch import Tensor

from napari_vol2vol.physics.admm_tv import AdmmTV
from napari_vol2vol.systems.assembly import Assembly, Context, direct
from napari_vol2vol.systems.reconstruction import (
    TV_3D,
    TV_3D_NONNEGATIVE,
    is_nonnegative,
    observed_of,
    total_variation_of,
)


def build(context: Context) -> Assembly:
    """Assemble argmin_{m >= 0} 1/2 |A m - y|^2 + w TV(m) from the classical reconstruction, with ticks."""
    observed, o = observed_of(context), context.options
    bounded = is_nonnegative(context)
    weight, penalty = total_variation_of(context, TV_3D_NONNEGATIVE if bounded else TV_3D)
    one = AdmmTV(weight, penalty, steps=1, cg_steps=o["cg_steps"], nonnegative=bounded)

    def estimate() -> Tensor:
        x, back = context.measurement.plain, observed.operator.adjoint(observed.y)
        multiplier = None
        for _ in range(o["admm_steps"]):
            context.tick()
            x, multiplier = one.solve(observed.operator, back, x, multiplier)
        return x

    return direct(estimate)
