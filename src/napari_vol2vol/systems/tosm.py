"""TOSM (Li et al. 2024) and MADM (Chen et al. 2024): three perpendicular models, averaged at every step.

TOSM averages 2D models, MADM 2.5D ones; which they are is the bundle's.
"""

from __future__ import annotations

from napari_vol2vol.systems.assembly import Assembly, Context, average_of

PLANES = ("axial", "coronal", "sagittal")


def build(context: Context) -> Assembly:
    """Assemble x̂0 = (D_a(x_t) + D_c(x_t) + D_s(x_t)) / 3 and the consistency projection."""
    return average_of(context, PLANES)
