"""SDEdit of every plane of the bundle, averaged in x̂0 space at every step, so that a volume comes out."""

from __future__ import annotations

from napari_vol2vol.systems.assembly import Assembly, Context, planes_of
from napari_vol2vol.systems.sdedit import along


def build(context: Context) -> Assembly:
    """Assemble the average of the planes."""
    return along(context, planes_of(context))
