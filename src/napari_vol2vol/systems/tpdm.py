"""TPDM (Lee et al. 2023): two perpendicular plane models, averaged at every step on one shared x_t."""

from __future__ import annotations

from napari_vol2vol.systems.assembly import Assembly, Context, average_of

PLANES = ("axial", "sagittal")


def build(context: Context) -> Assembly:
    """Assemble x̂0 = (D_a(x_t) + D_b(x_t)) / 2 and the consistency projection."""
    return average_of(context, PLANES)
