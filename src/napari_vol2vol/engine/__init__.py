"""Run a translation as one stream of small events, with the newest arrays in a one-slot box beside it."""

from napari_vol2vol.engine.events import (
    Done,
    Event,
    Notice,
    Preparing,
    Progress,
    SampleDone,
    Snapshot,
    SnapshotBox,
    Started,
)
from napari_vol2vol.engine.request import Translation
from napari_vol2vol.engine.run import Estimate, estimate, output_of, translate

__all__ = [
    "Done",
    "Estimate",
    "Event",
    "Notice",
    "Preparing",
    "Progress",
    "SampleDone",
    "Snapshot",
    "SnapshotBox",
    "Started",
    "Translation",
    "estimate",
    "output_of",
    "translate",
]
