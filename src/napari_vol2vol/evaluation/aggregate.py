"""From rows to the table of a comparison: columns, means over volumes, differences to the baseline."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Literal

from napari_vol2vol.evaluation.rows import Row
from napari_vol2vol.evaluation.set_distances import Distances

Kind = Literal["volume", "mean", "difference"]
Values = dict[str, float | None]


@dataclass(frozen=True)
class Column:
    """A figure: its ``title``, its format, and what is best: ``high``, ``low``, nearest to a number, nothing.

    ``spread`` names the figure that Markdown prints behind ± in the same cell. Values are multiplied by
    ``scale`` first.
    """

    key: str
    title: str
    form: str
    best: Literal["high", "low"] | float | None = None
    spread: str | None = None
    scale: float = 1.0

    def text(self, value: float | None, *, signed: bool = False) -> str:
        """Return a value as every format writes it; empty for None."""
        return "" if value is None else format(value * self.scale, ("+" if signed else "") + self.form)


COLUMNS = (
    Column("psnr_single", "PSNR single", ".2f", "high", "psnr_std"),
    Column("psnr_std", "PSNR std", ".2f"),
    Column("psnr_mean", "PSNR mean of N", ".2f", "high"),
    Column("ssim_single", "SSIM single", ".4f", "high", "ssim_std"),
    Column("ssim_std", "SSIM std", ".4f"),
    Column("ssim_mean", "SSIM mean of N", ".4f", "high"),
    Column("mae_single", "MAE single ×1e3", ".2f", "low", "mae_std", 1e3),
    Column("mae_std", "MAE std ×1e3", ".2f", None, None, 1e3),
    Column("mae_mean", "MAE mean of N ×1e3", ".2f", "low", None, 1e3),
    Column("mse_single", "MSE single ×1e3", ".2f", "low", None, 1e3),
    Column("ssim_source", "SSIM to source", ".4f", "high"),
    Column("mae_hu", "MAE / HU", ".2f", "low"),
    Column("mae_hu_vessels", "in vessels", ".2f", "low"),
    Column("mae_hu_organs", "in organs", ".2f", "low"),
    Column("ms_ssim", "MS-SSIM mean of N", ".4f", "high"),
    Column("mutual_information", "MI / nats", ".3f", "high"),
    Column("mace", "MACE ×1e4", ".0f", "low", None, 1e4),
    Column("coverage_50", "in 50 %", ".3f", 0.50),
    Column("coverage_68", "in 68 %", ".3f", 0.68),
    Column("coverage_90", "in 90 %", ".3f", 0.90),
    Column("coverage_95", "in 95 %", ".3f", 0.95),
    Column("ause", "AUSE", ".3f", "low"),
    Column("spearman", "Spearman", ".3f", "high"),
    Column("data_residual", "data residual", ".1e", "low"),
    Column("seconds", "s / sample", ".3g", "low"),
    Column("seconds_per_step", "s / step", ".3g", "low"),
    Column("peak_gib", "peak GiB", ".2f", "low"),
    Column("volume_mmd", "MMD² of volumes", ".4g", "low"),
    Column("frechet", "FID", ".4g", "low"),
    Column("kernel", "KID", ".4g", "low"),
)
#: Columns that say nothing new where every system has one sample.
OF_SEVERAL_SAMPLES = ("psnr_mean", "ssim_mean", "mae_mean")
SETS = ("volume_mmd", "frechet", "kernel")


@dataclass(frozen=True)
class Line:
    """One line: a volume, the mean over the volumes, or the mean difference of a system to the baseline."""

    kind: Kind
    volume: str
    system: str
    values: Values = field(default_factory=dict)

    def texts(self) -> dict[str, str]:
        """Return the rounded figures, as every format has them; empty where there is none."""
        signed = self.kind == "difference"
        return {c.key: c.text(self.values.get(c.key), signed=signed) for c in COLUMNS}


@dataclass(frozen=True)
class Table:
    """``lines`` under a ``title``, ``notes`` that say how to read them, ``hidden`` columns left out."""

    title: str
    notes: tuple[str, ...]
    lines: tuple[Line, ...]
    hidden: tuple[str, ...] = ()

    @property
    def columns(self) -> list[Column]:
        """The columns that have a figure in any line, but for the hidden ones."""
        shown = [c for c in COLUMNS if c.key not in self.hidden]
        return [c for c in shown if any(line.values.get(c.key) is not None for line in self.lines)]


def make_table(
    title: str,
    notes: Sequence[str],
    rows: Sequence[Row],
    baseline: str = "",
    distances: Mapping[str, Distances] | None = None,
) -> Table:
    """Return the table of rows: volumes, then means, then differences to the baseline.

    Rows of several seeds are averaged within a volume first. A mean is over all volumes of the table: a
    system that misses one gets none, and neither does a figure that is None in one. Differences are of the
    means, and so the means of the paired differences. One volume needs no mean.
    """
    volumes = list(dict.fromkeys(row.volume for row in rows))
    systems = list(dict.fromkeys(row.system for row in rows))
    cells = {
        (v, s): _average([_figures(row) for row in rows if (row.volume, row.system) == (v, s)])
        for v in volumes
        for s in systems
        if any((row.volume, row.system) == (v, s) for row in rows)
    }
    lines = [Line("volume", v, s, values) for (v, s), values in cells.items()]
    means = {
        s: _average([cells[v, s] for v in volumes]) | _set_figures((distances or {}).get(s))
        for s in systems
        if all((v, s) in cells for v in volumes)
    }
    if len(volumes) > 1:
        lines += [Line("mean", "mean", s, values) for s, values in means.items()]
    if base := means.get(baseline):
        lines += [
            Line(
                "difference",
                f"{'mean' if len(volumes) > 1 else volumes[0]} − {baseline}",
                s,
                _difference(values, base),
            )
            for s, values in means.items()
            if s != baseline
        ]
    return Table(title, tuple(notes), tuple(lines))


def _figures(row: Row) -> Values:
    values = asdict(row)
    return {c.key: values[c.key] for c in COLUMNS if c.key not in SETS}


def _average(figures: Sequence[Values]) -> Values:
    """Return the mean of each figure, None where it is missing anywhere; of the peak memory the largest."""

    def over(key: str, combine: Callable[[list[float]], float]) -> float | None:
        values = [f[key] for f in figures]
        known = [v for v in values if v is not None]
        return combine(known) if len(known) == len(values) else None

    return {
        key: over(key, max if key == "peak_gib" else lambda values: math.fsum(values) / len(values))
        for key in figures[0]
    }


def _set_figures(distances: Distances | None) -> Values:
    if distances is None:
        return {}
    return {name: part and part["value"] for name, part in distances.as_dict().items()}


def _difference(values: Values, base: Values) -> Values:
    """Return values - base; spreads have no difference."""
    spreads = {c.spread for c in COLUMNS}
    found: Values = {}
    for key, value in values.items():
        other = base.get(key)
        infinite = value is not None and other is not None and math.isinf(value) and value == other
        known = value is not None and other is not None and key not in spreads and not infinite
        found[key] = value - other if known else None  # type: ignore[operator]
    return found
