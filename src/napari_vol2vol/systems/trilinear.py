"""The plain baseline, through the same stream: trilinear upsampling, or the source itself."""

from __future__ import annotations

from napari_vol2vol.systems.assembly import Assembly, Context, direct


def build(context: Context) -> Assembly:
    """Assemble the baseline; consistency is never applied to it."""
    return direct(lambda: context.measurement.plain)
