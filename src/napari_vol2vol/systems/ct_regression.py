"""Regression between the phases of CT (Medical Flow Matching, 3): one network call a slice, trained by MAE.

The network tells the change, as a flow's does: ``x̂ = x - f(x, 1)``. So the same networks serve both, and what
sets them apart is the loss: this is one Euler step of a flow that was trained at t = 1 alone, and by L1.
"""

from __future__ import annotations

from napari_vol2vol.systems.assembly import Assembly, Context, direct
from napari_vol2vol.systems.flow_options import GRAIN
from napari_vol2vol.systems.grain import with_grain_of
from napari_vol2vol.systems.mfm import axial_or_asked, mean_velocity


def build(context: Context) -> Assembly:
    """Assemble the axial regression, or that of ``Context.plane``; each direction has weights of its own."""
    source = context.measurement.condition(context.bundle().inputs)[0]
    change = mean_velocity(context, axial_or_asked(context))
    shown = with_grain_of(source, context.options[GRAIN.name])
    return direct(lambda: shown(source - change(source, 1.0)))
