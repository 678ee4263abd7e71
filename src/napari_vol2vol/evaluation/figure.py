"""One picture a volume: three planes of every system, zoomed, with its uncertainty and its signed error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_vol2vol.anatomical_planes import Plane
from napari_vol2vol.ct_windows import CT_WINDOWS
from napari_vol2vol.errors import RunError, SettingsError
from napari_vol2vol.evaluation.cases import Case
from napari_vol2vol.evaluation.compare import folder_of
from napari_vol2vol.evaluation.figure_grid import LEFT, PARTS, TITLE_LINE, Grid
from napari_vol2vol.evaluation.framing import FloatArray, Frame, frame_of, point_of
from napari_vol2vol.evaluation.rows import Row
from napari_vol2vol.evaluation.suite import Suite
from napari_vol2vol.evaluation.suite_entries import View
from napari_vol2vol.io import read_volume
from napari_vol2vol.metrics.fidelity import PERCENTILE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ACCENT, FAINT = "#ffd166", "#9a9a9a"
DPI = 130


@dataclass(frozen=True, eq=False)
class Shown:
    """One column: mean and, where there are samples, uncertainty `(z, y, x)`, in shares of the data range."""

    label: str
    caption: str
    mean: FloatArray
    uncertainty: FloatArray | None = None


def require_matplotlib() -> None:
    """Raise `SettingsError` where matplotlib is not installed, naming the extra that brings it."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise SettingsError(
            "figures: matplotlib is not installed; accepted is an installation with the extra [all] "
            "(pip install 'napari-vol2vol[all]'), or --no-figures"
        ) from error


def write_figures(suite: Suite, cases: Sequence[Case], rows: Sequence[Row], output: Path) -> list[Path]:
    """Draw every case that has a row and write ``VOLUME.png``; of several seeds the first is shown.

    Raises
    ------
    SettingsError, RunError
        If matplotlib is missing, the view lies outside a volume, or a file cannot be written.
    """
    require_matplotlib()
    paths = []
    for case in cases:
        first = {row.system: row for row in reversed(rows) if row.volume == case.name}
        shown = [_shown(case, first[label], output) for label in suite.labels if label in first]
        if shown:
            paths.append(output / f"{case.name}.png")
            try:
                draw(suite, case, shown).savefig(paths[-1], dpi=DPI)
            except OSError as error:
                raise RunError(f"figure {paths[-1]}: cannot be written ({error.strerror})") from error
    return paths


def _shown(case: Case, row: Row, output: Path) -> Shown:
    folder = folder_of(output, row)
    std = folder / "uncertainty.nii.gz"
    return Shown(
        row.system,
        f"{row.psnr_mean:.2f} dB, SSIM {row.ssim_mean:.3f}",
        case.scaled(read_volume(folder / "mean.nii.gz")).data,
        case.scaled(read_volume(std), difference=True).data if std.exists() else None,
    )


def draw(suite: Suite, case: Case, shown: Sequence[Shown]) -> Figure:
    """Draw one case.

    Columns are the reference, the input and each system; for each of the three planes the rows are the slice,
    the zoomed box, the uncertainty and the error (mean - reference), in limits that all figures of the suite
    share. Every panel's axes are labelled ``plane/part/column``.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    frame = frame_of(suite.view, case.reference)
    grid = Grid(frame, 2 + len(shown), _title(suite, case, frame))
    figure = Figure(figsize=(grid.width, grid.height), facecolor="white")
    FigureCanvasAgg(figure)
    reference = case.reference.data
    source = _on_the_grid_of_the_result(case)
    made = suite.degrades or suite.measures
    grey = _grey_limits(suite, case)
    of_source = grey if made or case.phases else (0.0, float(np.percentile(source, PERCENTILE)))
    name = "input" if made else f"input {case.source.modality}"
    for number, line in enumerate(grid.title):
        y = 1 - (0.08 + TITLE_LINE * number) / grid.height
        figure.text(LEFT / grid.width, y, line, va="top", size=10 if number == 0 else 7.5)
    for plane in frame.planes:
        columns = [("reference", suite.target, reference, grey), (name, "as measured", source, of_source)]
        columns += [(s.label, s.caption, s.mean, grey) for s in shown]
        for column, (label, caption, data, limits) in enumerate(columns):
            axes = _panel(figure, grid, plane, "slice", column, label)
            _grey(axes, frame.slice_of(data, plane), limits)
            _box(axes, frame, plane)
            if column == 0:
                _letters(axes, plane)
            if plane is frame.planes[0]:
                axes.set_title(f"{label}\n", size=8.5, weight="bold", pad=3)
                axes.text(0.5, 1.02, caption, transform=axes.transAxes, ha="center", va="bottom", size=6.5)
            _grey(_panel(figure, grid, plane, "zoom", column, label), frame.zoom_of(data, plane), limits)
        for column, system in enumerate(shown, start=2):
            _maps(figure, grid, frame, plane, column, system, reference, suite.view)
        _row_names(figure, grid, plane)
        _colour_bars(figure, grid, plane, suite.view)
    return figure


def _on_the_grid_of_the_result(case: Case) -> FloatArray:
    """Return the source with each voxel as the block it is."""
    shares = case.phases or case.source.measured is not None
    data = case.scaled(case.source).data if shares else case.source.data
    for axis, k in enumerate(case.factor):
        data = np.repeat(data, k, axis=axis)
    return data


def _grey_limits(suite: Suite, case: Case) -> tuple[float, float]:
    """Return what is black and white, in shares of the data range."""
    if suite.view.window is None:
        return 0.0, 1.0
    low, high = CT_WINDOWS[suite.view.window].limits
    return (low - case.zero) / case.unit, (high - case.zero) / case.unit


def _grey_words(suite: Suite, case: Case) -> str:
    if suite.view.window is None:
        return "Grey from 0 to 1, the 99.5th percentile of the reference"
    low, high = CT_WINDOWS[suite.view.window].limits
    return f"Grey from {low:g} to {high:g} HU; data range {case.unit:.0f} HU"


def _title(suite: Suite, case: Case, frame: Frame) -> list[str]:
    size = frame.stop[0] - frame.start[0]
    spacing = " × ".join(f"{s:.3g}" for s in case.reference.spacing_mm)
    text = (
        f"Planes through {point_of(case.reference, frame.point)} (voxel {frame.point}, z, y, x); box of "
        f"{size} voxels at {frame.start}; voxels of {spacing} mm. Radiological: the patient's right is on "
        f"the left. {_grey_words(suite, case)}. AI-generated, not for diagnosis."
    )
    return [f"{suite.title or suite.name}: {case.name}", text]


def _panel(figure: Figure, grid: Grid, plane: Plane, part: str, column: int, label: str) -> Axes:
    axes = figure.add_axes(grid.rectangle(plane, part, column), label=f"{plane.name}/{part}/{label}")
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    return axes


def _grey(axes: Axes, picture: FloatArray, limits: tuple[float, float]) -> None:
    axes.imshow(picture, cmap="gray", vmin=limits[0], vmax=limits[1], aspect="auto", interpolation="nearest")


def _box(axes: Axes, frame: Frame, plane: Plane) -> None:
    from matplotlib.patches import Rectangle

    left, top, width, height = frame.box_in(plane)
    axes.add_patch(Rectangle((left, top), width, height, fill=False, edgecolor=ACCENT, linewidth=0.8))


def _letters(axes: Axes, plane: Plane) -> None:
    from matplotlib.patheffects import withStroke

    places = {"left": (0.03, 0.5), "right": (0.97, 0.5), "top": (0.5, 0.97), "bottom": (0.5, 0.03)}
    for edge, letter in plane.letters().items():
        x, y = places[edge]
        axes.text(
            x, y, letter, transform=axes.transAxes, color=ACCENT, size=8, weight="bold",
            ha=edge if edge in ("left", "right") else "center",
            va=edge if edge in ("top", "bottom") else "center",
            path_effects=[withStroke(linewidth=1.6, foreground="black")],
        )  # fmt: skip


def _maps(
    figure: Figure, grid: Grid, frame: Frame, plane: Plane, column: int, system: Shown,
    reference: FloatArray, view: View,
) -> None:  # fmt: skip
    axes = _panel(figure, grid, plane, "uncertainty", column, system.label)
    if system.uncertainty is None:
        axes.text(0.5, 0.5, "one answer,\nno uncertainty", ha="center", va="center", size=7, color=FAINT)
    else:
        axes.imshow(frame.slice_of(system.uncertainty, plane), aspect="auto", **_uncertainty(view))
    axes = _panel(figure, grid, plane, "error", column, system.label)
    axes.imshow(frame.slice_of(system.mean - reference, plane), aspect="auto", **_error(view))


def _uncertainty(view: View) -> dict[str, Any]:
    return {"cmap": "magma", "vmin": 0.0, "vmax": view.uncertainty_limit, "interpolation": "nearest"}


def _error(view: View) -> dict[str, Any]:
    return {"cmap": "RdBu_r", "vmin": -view.error_limit, "vmax": view.error_limit, "interpolation": "nearest"}


def _row_names(figure: Figure, grid: Grid, plane: Plane) -> None:
    for part in PARTS:
        top, height = grid.rows[plane.name, part]
        text = plane.name if part == "slice" else part
        figure.text(
            0.6 * LEFT / grid.width, 1 - (top + height / 2) / grid.height, text, rotation=90, ha="center",
            va="center", size=8, weight="bold" if part == "slice" else "normal",
        )  # fmt: skip


def _colour_bars(figure: Figure, grid: Grid, plane: Plane, view: View) -> None:
    """Draw the scale of both maps where reference and input have no map."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    titles = {
        "uncertainty": (_uncertainty(view), "uncertainty: standard deviation\nover samples"),
        "error": (_error(view), "error: mean − reference"),
    }
    for part, (style, title) in titles.items():
        left, bottom, _, height = grid.rectangle(plane, part, 0)
        right = sum(grid.rectangle(plane, part, 1)[::2])
        width = right - left
        place = (left + 0.08 * width, bottom + 0.48 * height, 0.84 * width, 0.12 / grid.height)
        axes = figure.add_axes(place, label=f"{plane.name}/{part}/scale")
        mappable = ScalarMappable(Normalize(style["vmin"], style["vmax"]), style["cmap"])
        bar = figure.colorbar(mappable, cax=axes, orientation="horizontal", extend=_beyond(part))
        bar.set_ticks(np.linspace(style["vmin"], style["vmax"], 5).tolist())
        bar.ax.tick_params(labelsize=6.5, length=2, pad=1.5)
        bar.ax.set_title(title, size=7, pad=4)
        bar.set_label("share of the data range", size=6.5, labelpad=1)


def _beyond(part: str) -> str:
    return "max" if part == "uncertainty" else "both"
