"""Filtered back-projection."""

from __future__ import annotations

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.physics.filtered_back_projection import filtered_back_projection
from napari_vol2vol.physics.projector import Projector
from napari_vol2vol.systems.assembly import Assembly, Context, direct
from napari_vol2vol.systems.reconstruction import observed_of


def build(context: Context) -> Assembly:
    """Assemble the baseline (`napari_vol2vol.physics.filtered_back_projection`)."""
    observed = observed_of(context)
    projector = observed.operator
    if not isinstance(projector, Projector):
        raise SettingsError("fbp: found a measurement of MRI, accepted is a sinogram")
    return direct(lambda: filtered_back_projection(projector, observed.y, context.options["window"]))
