"""Pictures, films and curves of a run folder, as bytes of a file."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from importlib.util import find_spec
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from napari_vol2vol.anatomical_planes import CONVENTIONS, Convention
from napari_vol2vol.ct_windows import CT_WINDOWS
from napari_vol2vol.errors import SettingsError
from napari_vol2vol.evaluation.plane_pictures import Look, look_of, middle_of, png, three_views, voxel_at
from napari_vol2vol.evaluation.recorded_run import STATE, X0, Trajectory, open_trajectory
from napari_vol2vol.evaluation.run_folder import KINDS, NOTICE, RunOnDisk
from napari_vol2vol.volume import Volume

#: What a film may show -> kind of `recorded_run`.
FILMED = {"x0": X0, "x_t": STATE, "noise": "noise"}
FILM_EDGE = 240
STEP_WORDS = {X0: "x0", STATE: "x_t", "noise": "predicted noise"}


@dataclass(frozen=True)
class ExportSettings:
    """How a run is shown.

    ``window`` is the name of a CT window, ``W,L``, or empty for one found from the values. ``at`` is a
    position in mm (x, y, z), by default the middle. ``fps`` are steps a second of a film.

    Raises
    ------
    SettingsError
        Where a field is outside what is accepted.
    """

    volume: str = "x0"
    window: str = ""
    at: tuple[float, float, float] | None = None
    convention: Convention = "radiological"
    sample: int = 1
    shown: str = "x0"
    fps: float = 4.0

    def __post_init__(self) -> None:
        if self.convention not in CONVENTIONS:
            raise SettingsError(
                f"convention: found {self.convention!r}, accepted are {', '.join(CONVENTIONS)}"
            )
        if self.shown not in FILMED:
            raise SettingsError(f"shown: found {self.shown!r}, accepted are {', '.join(FILMED)}")
        if not 0.1 <= self.fps <= 60:
            raise SettingsError(f"fps: found {self.fps:g}, accepted is 0.1 to 60 steps a second")
        self.limits()

    def limits(self) -> tuple[float, float] | None:
        """Return the values shown black and white, None where they are to be found."""
        if not self.window:
            return None
        if self.window in CT_WINDOWS:
            return CT_WINDOWS[self.window].limits
        try:
            width, level = (float(part) for part in self.window.split(","))
        except ValueError:
            width, level = -1.0, 0.0
        if not width > 0:
            raise SettingsError(
                f"window: found {self.window!r}, accepted are width and level as in 80,40, or "
                f"{', '.join(CT_WINDOWS)}"
            )
        return level - width / 2, level + width / 2


def picture_of(run: RunOnDisk, settings: ExportSettings) -> Image.Image:
    """Return three views of one volume of a run."""
    volume = run.read(settings.volume)
    look = look_of(volume, KINDS.get(settings.volume, "gray"))
    if (limits := settings.limits()) is not None:
        look = Look(limits, look.colours)
    at = None if settings.at is None else voxel_at(volume, settings.at)
    title = f"{run.source} · {settings.volume}"
    lines = (run.by, f"seed {run.settings.get('seed', '?')}", NOTICE)
    return three_views(volume, look, at=at, convention=settings.convention, title=title, lines=lines)


def frames_of(run: RunOnDisk, settings: ExportSettings) -> Iterator[Image.Image]:
    """Return three views of every recorded step of a sample, in one window; see `recorded_run`."""
    recorded = open_trajectory(run.folder)
    if settings.sample not in recorded.samples:
        there = ", ".join(map(str, recorded.samples))
        raise SettingsError(f"sample: found {settings.sample}, run {run.folder.name} recorded {there}")
    kind, sample = FILMED[settings.shown], settings.sample
    if reason := recorded.missing(sample, kind):
        raise SettingsError(f"shown: found {settings.shown}, which was not recorded: {reason}")
    steps = recorded.steps(sample)
    grid = run.read("x0")
    look = _look_of_film(recorded, sample, kind, settings)
    at = middle_of(grid) if settings.at is None else voxel_at(grid, settings.at)
    for step in steps:
        volume = grid.with_data(recorded.array(sample, step, kind), name=run.source)
        lines = (f"step {step} of {steps[-1]}", *_figures(recorded, sample, step), run.by, NOTICE)
        title = f"{run.source} · {STEP_WORDS[kind]}"
        yield three_views(
            volume, look, at=at, convention=settings.convention, title=title, lines=lines, edge=FILM_EDGE
        )


def gif_of(run: RunOnDisk, settings: ExportSettings) -> bytes:
    """Return a film as GIF; it stays on the last step for two seconds."""
    frames = [frame.quantize(128) for frame in frames_of(run, settings)]
    pause = round(1000 / settings.fps)
    stream = BytesIO()
    frames[0].save(
        stream, "GIF", save_all=True, append_images=frames[1:], loop=0,
        duration=[pause] * (len(frames) - 1) + [2000], optimize=False,
    )  # fmt: skip
    return stream.getvalue()


def mp4_of(run: RunOnDisk, settings: ExportSettings) -> bytes:
    """Return a film as MP4.

    Raises
    ------
    SettingsError
        If imageio-ffmpeg is not installed.
    """
    if find_spec("imageio_ffmpeg") is None:
        raise SettingsError(
            "output: an MP4 needs the package imageio-ffmpeg, which is not installed; pip install "
            "imageio-ffmpeg, or choose a name that ends in .gif"
        )
    import imageio_ffmpeg  # type: ignore[import-not-found]

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        writer: Any = None
        for frame in frames_of(run, settings):
            if writer is None:
                even = frame.width // 2 * 2, frame.height // 2 * 2  # the codec wants even edges
                writer = imageio_ffmpeg.write_frames(str(path), even, fps=settings.fps, macro_block_size=2)
                writer.send(None)
            writer.send(np.ascontiguousarray(np.asarray(frame.crop((0, 0, *even)))))
        writer.close()
        return path.read_bytes()


def csv_of(run: RunOnDisk) -> bytes:
    """Return the recorded facts of every step of every sample, one line each; what is unknown stays empty.

    Raises
    ------
    SettingsError
        If no step was recorded with its facts.
    """
    recorded = open_trajectory(run.folder)
    if not recorded.facts:
        raise SettingsError(
            f"curves: found none in run {run.folder.name}, accepted is a run of this version with Record on"
        )
    from napari_vol2vol.engine.trajectory import StepFacts

    stream = StringIO(newline="")
    writer = csv.DictWriter(stream, [f.name for f in fields(StepFacts)], lineterminator="\n")
    writer.writeheader()
    for _, facts in sorted(recorded.facts.items()):
        writer.writerow({k: "" if v is None else v for k, v in asdict(facts).items()})
    return stream.getvalue().encode()


def png_of(run: RunOnDisk, settings: ExportSettings) -> bytes:
    """Return `picture_of` as PNG."""
    return png(picture_of(run, settings))


def _look_of_film(recorded: Trajectory, sample: int, kind: str, settings: ExportSettings) -> Look:
    limits = settings.limits()
    if limits is not None:
        return Look(limits)
    if kind == X0:  # the window of the result
        last = recorded.array(sample, recorded.steps(sample)[-1])
        return look_of(Volume.from_array(last))
    first = recorded.array(sample, recorded.steps(sample)[0], kind)
    high = float(np.percentile(np.abs(first[::2, ::2, ::2]), 99.5)) or 1.0
    return Look((-high, high))


def _figures(recorded: Trajectory, sample: int, step: int) -> list[str]:
    facts = recorded.facts.get((sample, step))
    if facts is None:
        return []
    words = [f"t {facts.t:.3f}"]
    words += [f"data residual {facts.residual:.1e}"] if facts.residual is not None else []
    words += [f"PSNR {facts.psnr:.2f} dB"] if facts.psnr is not None else []
    return words
