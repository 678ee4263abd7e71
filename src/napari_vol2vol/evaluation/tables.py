"""The table of a comparison in three formats, from one set of rounded figures: CSV, Markdown and JSON."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_vol2vol.errors import RunError
from napari_vol2vol.evaluation.aggregate import Column, Table


def as_csv(table: Table) -> str:
    """Return the table as CSV: title and notes as comments (``#``), one header line, one line a row."""
    stream = io.StringIO()
    stream.writelines(f"# {note}\n" for note in (table.title, *table.notes))
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["kind", "volume", "system", *(c.key + _scale(c) for c in table.columns)])
    for line in table.lines:
        texts = line.texts()
        writer.writerow([line.kind, line.volume, line.system, *(texts[c.key] for c in table.columns)])
    return stream.getvalue()


def _scale(column: Column) -> str:
    return "" if column.scale == 1 else f"_x{column.scale:.0e}".replace("e+0", "e")


def as_json_text(table: Table, more: Mapping[str, Any] | None = None) -> str:
    """Return the table as JSON, with the same rounded figures as numbers (null where there is none).

    An infinite figure is the text ``inf``. ``more`` is put beside title, notes and rows.
    """
    rows = []
    for line in table.lines:
        texts = line.texts()
        figures = {c.key + _scale(c): _number(texts[c.key]) for c in table.columns}
        rows.append({"kind": line.kind, "volume": line.volume, "system": line.system, **figures})
    value = {"title": table.title, "notes": table.notes, "rows": rows, **(more or {})}
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _number(text: str) -> float | str | None:
    if not text:
        return None
    return float(text) if math.isfinite(float(text)) else text


def as_markdown(table: Table) -> str:
    """Return the table as Markdown; the best figure among the systems of one volume, or mean, is bold."""
    columns = [c for c in table.columns if c.key not in {s.spread for s in table.columns}]
    bold = _bold(table)
    lines = [f"# {table.title}", "", *(f"- {note}" for note in table.notes), ""]
    lines.append("| " + " | ".join(["volume", "system", *(c.title for c in columns)]) + " |")
    lines.append("|---" * (len(columns) + 2) + "|")
    for number, line in enumerate(table.lines):
        texts = line.texts()
        cells = []
        for c in columns:
            text = texts[c.key] or "–"
            text = f"**{text}**" if (number, c.key) in bold else text
            spread = texts[c.spread] if c.spread else ""
            cells.append(f"{text} ± {spread}" if spread else text)
        lines.append("| " + " | ".join([line.volume, line.system, *cells]) + " |")
    return "\n".join(lines) + "\n"


def _bold(table: Table) -> set[tuple[int, str]]:
    """Return (line, column) of the best rounded figures of each volume and of the means, ties included."""
    groups: dict[tuple[str, str], list[int]] = {}
    for number, line in enumerate(table.lines):
        if line.kind != "difference":
            groups.setdefault((line.kind, line.volume), []).append(number)
    bold: set[tuple[int, str]] = set()
    for column in table.columns:
        for numbers in groups.values():
            texts = {n: table.lines[n].texts()[column.key] for n in numbers}
            known = {n: float(text) for n, text in texts.items() if text}
            if column.best is None or len(known) < 2:
                continue
            regret = {n: _regret(column, value) for n, value in known.items()}
            least = min(regret.values())
            bold |= {(n, column.key) for n, value in regret.items() if value == least}
    return bold


def _regret(column: Column, value: float) -> float:
    """Return what is least for the best figure of a column."""
    if column.best == "high":
        return -value
    if column.best == "low":
        return value
    return round(abs(value - float(column.best or 0)), 9)


def write_tables(table: Table, folder: Path, more: Mapping[str, Any] | None = None) -> list[Path]:
    """Write ``table.csv``, ``table.md`` and ``table.json`` into a folder and return their paths.

    Raises
    ------
    RunError
        If one cannot be written.
    """
    texts = {"csv": as_csv(table), "md": as_markdown(table), "json": as_json_text(table, more)}
    paths = [folder / f"table.{suffix}" for suffix in texts]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in zip(paths, texts.values(), strict=True):
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise RunError(f"{folder}: tables cannot be written ({error.strerror})") from error
    return paths
