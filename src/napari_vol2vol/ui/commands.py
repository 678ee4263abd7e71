"""What the command palette offers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import napari.viewer

    from napari_vol2vol.ui.translate_dock import TranslateDock

PLUGIN = "napari-vol2vol"
SAMPLES = ("brain-t1-low", "brain-t1-reference")


def load_sample_and_run(viewer: napari.viewer.Viewer) -> None:
    """Open the sample with its reference, both docks, and start a run (main thread)."""
    run_sample(viewer)


def run_sample(viewer: napari.viewer.Viewer) -> TranslateDock:
    """Do what `load_sample_and_run` says and return the dock."""
    low, reference = (viewer.open_sample(PLUGIN, key)[0] for key in SAMPLES)
    reference.visible = False
    _, views = viewer.window.add_plugin_dock_widget(PLUGIN, "Three views")
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, "Translate")
    views.reset()
    dock.volumes.volume.choose(low)
    dock.volumes.reference.choose(reference)
    dock.run_when_ready()
    return dock
