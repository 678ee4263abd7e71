"""The smoothest volume that honours the measurement exactly: a baseline without a network."""

from __future__ import annotations

from napari_vol2vol.systems.assembly import Assembly, Context, direct


def build(context: Context) -> Assembly:
    """Assemble the baseline (`napari_vol2vol.physics.smooth_inverse`)."""
    return direct(lambda: context.measurement.base)
