"""Dice and recovery rate of every region, by volume and over all of them, in one table of three formats."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from napari_vol2vol.errors import RunError
from napari_vol2vol.evaluation.downstream import Arm, Score

#: A recovery rate divides by the Dice that the degraded input loses: below this it is noise.
SMALLEST_GAP = 0.005
ABSENT = "no such region in the volume"
CLOSE = f"truth and degraded input differ by less than {SMALLEST_GAP:g} Dice"
BETTER = "the degraded input is segmented better than the truth"
MEAN = "mean"


@dataclass(frozen=True)
class Recovery:
    """A recovery rate, or why there is none."""

    rate: float | None
    reason: str = ""


def recovery(prediction: float | None, degraded: float | None, truth: float | None) -> Recovery:
    """Return (prediction - degraded) / (truth - degraded) of three Dice (Score-Fusion, sec. 4.3 and I).

    0 is as good as the degraded input, 1 as good as the truth; below 0 and above 1 are possible.
    """
    if prediction is None or degraded is None or truth is None:
        return Recovery(None, ABSENT)
    gap = truth - degraded
    if abs(gap) < SMALLEST_GAP:
        return Recovery(None, CLOSE)
    return Recovery((prediction - degraded) / gap) if gap > 0 else Recovery(None, BETTER)


@dataclass(frozen=True)
class Line:
    """One arm and region of one volume, or of all (``kind`` mean); ``n`` is the number of volumes with it."""

    kind: str
    volume: str
    arm: Arm
    region: str
    n: int
    dice: float | None
    recovery: Recovery

    def texts(self) -> dict[str, str]:
        """Return the figures as every format has them, ``n/a`` where there is none."""
        rate = self.recovery.rate
        return {
            "dice": "n/a" if self.dice is None else f"{self.dice:.4f}",
            "recovery": "n/a" if rate is None else f"{rate:.3f}",
            "reason": self.recovery.reason,
        }


@dataclass(frozen=True)
class DownstreamTable:
    """``lines`` under a ``title`` and the ``notes`` that say how to read them."""

    title: str
    notes: tuple[str, ...]
    lines: tuple[Line, ...]


def make_downstream_table(title: str, notes: Sequence[str], scores: Sequence[Score]) -> DownstreamTable:
    """Return the table of scores: every volume, then the mean over those that have the region.

    Scores of several seeds are averaged within a volume first. The recovery rate of a mean is that of the
    mean Dice, over the same volumes for all three: a mean of rates would be that of the smallest gap.
    """
    volumes = list(dict.fromkeys(s.volume for s in scores))
    arms = list(dict.fromkeys(s.arm for s in scores))
    regions = list(dict.fromkeys(s.region for s in scores))
    cells = {
        (v, a, r): _mean([s.dice for s in scores if (s.volume, s.arm, s.region) == (v, a, r)])
        for v in volumes
        for a in arms
        for r in regions
    }
    lines = [line for v in volumes for line in _lines("volume", v, arms, regions, cells, [v])]
    lines += _lines(MEAN, MEAN, arms, regions, cells, volumes)
    return DownstreamTable(title, tuple(notes), tuple(lines))


def _lines(
    kind: str,
    name: str,
    arms: Sequence[Arm],
    regions: Sequence[str],
    cells: Mapping[tuple[str, Arm, str], float | None],
    volumes: Sequence[str],
) -> list[Line]:
    ends = {arm.kind: arm for arm in arms if arm.kind != "system"}
    lines = []
    for arm in arms:
        for region in regions:
            with_region = [v for v in volumes if cells[v, ends["truth"], region] is not None]
            own = {a: _mean([cells[v, a, region] for v in with_region]) for a in {arm, *ends.values()}}
            rate = recovery(own[arm], own[ends["degraded"]], own[ends["truth"]])
            lines.append(Line(kind, name, arm, region, len(with_region), own[arm], rate))
    return lines


def _mean(values: Sequence[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return math.fsum(known) / len(known) if known else None


def as_csv(table: DownstreamTable) -> str:
    """Return the table as CSV: title and notes as comments (``#``), one line an arm and region."""
    stream = io.StringIO()
    stream.writelines(f"# {note}\n" for note in (table.title, *table.notes))
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["kind", "volume", "n", "arm", "images", "region", "dice", "recovery", "reason"])
    for line in table.lines:
        writer.writerow(
            [line.kind, line.volume, line.n, *astuple(line.arm), line.region, *line.texts().values()]
        )
    return stream.getvalue()


def as_json_text(table: DownstreamTable, more: Mapping[str, Any] | None = None) -> str:
    """Return the table as JSON, with the same rounded figures; null, with its reason, where there is none."""
    rows = []
    for line in table.lines:
        texts = line.texts()
        figures = {k: None if texts[k] == "n/a" else float(texts[k]) for k in ("dice", "recovery")}
        rows.append({
            "kind": line.kind, "volume": line.volume, "n": line.n, "arm": line.arm.kind,
            "images": line.arm.label, "region": line.region, **figures, "reason": texts["reason"] or None,
        })  # fmt: skip
    value = {"title": table.title, "notes": table.notes, "rows": rows, **(more or {})}
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def as_markdown(table: DownstreamTable) -> str:
    """Return the table as Markdown: a column a region, Dice with the recovery rate behind it.

    Why a rate is n/a stands below, numbered.
    """
    regions = list(dict.fromkeys(line.region for line in table.lines))
    lines = [f"# {table.title}", "", *(f"- {note}" for note in table.notes), ""]
    lines.append("| " + " | ".join(["volume", "images", *regions]) + " |")
    lines.append("|---" * (len(regions) + 2) + "|")
    reasons: list[str] = []
    groups: dict[tuple[str, str, Arm], list[Line]] = {}
    for line in table.lines:
        groups.setdefault((line.kind, line.volume, line.arm), []).append(line)
    for (kind, volume, arm), group in groups.items():
        cells = [_cell(line, reasons) for line in group]
        name = f"mean of {_counts(group)}" if kind == MEAN else volume
        lines.append("| " + " | ".join([name, arm.label, *cells]) + " |")
    if reasons:
        lines += ["", *(f"{number}. {reason}" for number, reason in enumerate(reasons, start=1))]
    return "\n".join(lines) + "\n"


def _counts(group: Sequence[Line]) -> str:
    """Return N, or N of each region where they differ."""
    counts = [str(line.n) for line in group]
    return counts[0] if len(set(counts)) == 1 else " / ".join(counts)


def _cell(line: Line, reasons: list[str]) -> str:
    texts = line.texts()
    if line.arm.kind != "system":
        return texts["dice"]
    if line.recovery.rate is not None:
        return f"{texts['dice']} ({100 * float(texts['recovery']):.1f} %)"
    if texts["reason"] not in reasons:
        reasons.append(texts["reason"])
    return f"{texts['dice']} (n/a, {reasons.index(texts['reason']) + 1})"


def write_downstream(
    table: DownstreamTable, folder: Path, more: Mapping[str, Any] | None = None
) -> list[Path]:
    """Write ``downstream.csv``, ``downstream.md`` and ``downstream.json`` and return their paths.

    Raises
    ------
    RunError
        If one cannot be written.
    """
    texts = {"csv": as_csv(table), "md": as_markdown(table), "json": as_json_text(table, more)}
    paths = [folder / f"downstream.{suffix}" for suffix in texts]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in zip(paths, texts.values(), strict=True):
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise RunError(f"{folder}: tables cannot be written ({error.strerror})") from error
    return paths
