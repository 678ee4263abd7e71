"""Flow matching of three perpendicular planes, their velocities averaged at every network call."""

from __future__ import annotations

from napari_vol2vol.systems.assembly import Assembly, Context, planes_of
from napari_vol2vol.systems.mfm import flow_along


def build(context: Context) -> Assembly:
    """Assemble the average of every plane the bundle was trained on."""
    return flow_along(context, planes_of(context))
