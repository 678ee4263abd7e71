"""A CT before and after contrast removal, and the change in HU, in three planes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from napari_vol2vol.ct_windows import CT_WINDOWS
from napari_vol2vol.errors import RunError
from napari_vol2vol.evaluation.contrast_check import Mask
from napari_vol2vol.evaluation.figure import DPI, require_matplotlib
from napari_vol2vol.evaluation.framing import frame_of
from napari_vol2vol.evaluation.suite_entries import View
from napari_vol2vol.volume import Volume

#: The change is shown from minus to plus so many HU.
LIMIT_HU = 300.0


def draw_change(
    before: Volume, after: Volume, regions: Mapping[str, Mask], path: Path, window: str = "mediastinum"
) -> None:
    """Write a picture with a row for each plane, through the middle of the first region.

    Raises
    ------
    SettingsError, RunError
        If matplotlib is missing or the file cannot be written.
    """
    require_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    z, y, x = (int(np.median(where)) for where in np.nonzero(next(iter(regions.values()))))
    frame = frame_of(View(point=(z, y, x)), before)
    grey = CT_WINDOWS[window].limits
    figure = Figure(figsize=(9, 3.2 * len(frame.planes)), facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    parts = (
        ("before", before.data, grey, "gray"),
        ("after", after.data, grey, "gray"),
        ("change, HU", after.data - before.data, (-LIMIT_HU, LIMIT_HU), "RdBu_r"),
    )
    panels = figure.subplots(len(frame.planes), len(parts), squeeze=False)
    for row, plane in zip(panels, frame.planes, strict=True):
        for axes, (title, data, (low, high), colours) in zip(row, parts, strict=True):
            picture = frame.slice_of(data, plane)
            aspect = frame.ratio(plane) * picture.shape[1] / picture.shape[0]
            shown = axes.imshow(picture, cmap=colours, vmin=low, vmax=high, aspect=aspect)
            axes.set_title(f"{plane.name} · {title}", size=8)
            axes.set_axis_off()
        figure.colorbar(shown, ax=row[-1], shrink=0.8)
    try:
        figure.savefig(path, dpi=DPI)
    except OSError as error:
        raise RunError(f"figure {path}: cannot be written ({error.strerror})") from error
