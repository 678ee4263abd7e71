"""A run on one page: request, three planes of its volumes, metrics, curves, provenance; everything inline."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from napari_vol2vol.errors import VolumeError
from napari_vol2vol.evaluation.plane_pictures import png
from napari_vol2vol.evaluation.recorded_run import Trajectory, open_trajectory
from napari_vol2vol.evaluation.run_exports import ExportSettings, picture_of
from napari_vol2vol.evaluation.run_folder import NOTICE, RunOnDisk

#: Volumes that get a picture, where the run has them.
PICTURED = ("x0", "mean", "uncertainty", "error", "fixed-prior")
#: (field of a step's facts, title) of the curves.
CURVES = (("residual", "Data residual |A x̂0 - y| / |y|"), ("psnr", "PSNR of x̂0 in dB"))
#: What of the record stands in other sections.
ELSEWHERE = ("metrics", "settings", "request", "inputs")
STYLE = """
body { font: 15px/1.45 sans-serif; max-width: 62em; margin: 2em auto; padding: 0 1em; color: #1b1f24; }
h1 { font-size: 1.5em; } h2 { font-size: 1.15em; margin-top: 1.8em; }
table { border-collapse: collapse; }
td, th { text-align: left; padding: .15em .9em .15em 0; vertical-align: top; }
th { font-weight: 600; } figure { display: inline-block; margin: 0 1em 1em 0; }
img { max-width: 100%; background: #000; } figcaption { font-size: .85em; color: #57606a; }
pre { background: #f6f8fa; padding: .8em; overflow-x: auto; font-size: .8em; } .notice { color: #9a3412; }
"""
WIDTH, HEIGHT, PAD = 420, 150, 34


def page_of(run: RunOnDisk, settings: ExportSettings) -> bytes:
    """Return an HTML page (UTF-8) that needs no other file and no network."""
    title = f"{run.source} · {run.record.get('system') or run.settings.get('system', 'run')}"
    state = str(run.record.get("state", "unknown"))
    sections = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="notice">{escape(run.by)} · {escape(NOTICE)} · state: {escape(state)}</p>',
        "<h2>Pictures</h2>", *_pictures(run, settings),
        "<h2>Metrics</h2>", _table(run.record.get("metrics") or {}, "no reference was given"),
        *_curves(run),
        "<h2>Request</h2>", _table(run.settings, "not recorded"),
        "<h2>Inputs</h2>", *[_table(i, "none") for i in run.record.get("inputs") or []],
        "<h2>Provenance</h2>", _provenance(run.record),
    ]  # fmt: skip
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style>'
    body = "\n".join(sections)
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>\n{body}\n</body></html>\n'.encode()


def _pictures(run: RunOnDisk, settings: ExportSettings) -> Iterable[str]:
    for name in PICTURED:
        if name != "x0" and name not in run.files:
            continue
        window = settings.window if name not in ("uncertainty", "error") else ""
        shown = ExportSettings(name, window, settings.at, settings.convention)
        data = b64encode(png(picture_of(run, shown))).decode()
        words = run.newest_sample() + " (x̂0)" if name == "x0" else name
        yield (
            f'<figure><img alt="three planes of {escape(name)}" src="data:image/png;base64,{data}">'
            f"<figcaption>{escape(words)}</figcaption></figure>"
        )


def _table(values: Mapping[str, Any], nothing: str) -> str:
    if not values:
        return f"<p>{escape(nothing)}</p>"
    rows = "".join(
        f"<tr><th>{escape(str(k))}</th><td>{escape(_text(v))}</td></tr>" for k, v in values.items()
    )
    return f"<table>{rows}</table>"


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _provenance(record: Mapping[str, Any]) -> str:
    rest = {name: value for name, value in record.items() if name not in ELSEWHERE}
    return f"<pre>{escape(json.dumps(rest, indent=2, ensure_ascii=False))}</pre>"


def _curves(run: RunOnDisk) -> list[str]:
    try:
        recorded = open_trajectory(run.folder)
    except VolumeError:  # most runs are not recorded
        return []
    drawn = [_curve(recorded, name, title) for name, title in CURVES]
    return ["<h2>Curves</h2>", *drawn] if any(drawn) else []


def _curve(recorded: Trajectory, name: str, title: str) -> str:
    """Return one plot as SVG, a line for each sample; empty where nothing was recorded."""
    lines = []
    for sample in recorded.samples:
        pairs = [(s, getattr(f, name)) for (n, s), f in sorted(recorded.facts.items()) if n == sample]
        lines.append([(s, v) for s, v in pairs if v is not None])
    points = [point for line in lines for point in line]
    if not points:
        return ""
    (left, right), (low, high) = ((min(v), max(v)) for v in zip(*points, strict=True))
    across, up = max(right - left, 1), max(high - low, 1e-12)

    def place(step: float, value: float) -> str:
        x = PAD * 2 + (step - left) / across * (WIDTH - 3 * PAD)
        return f"{x:.1f},{HEIGHT - PAD - (value - low) / up * (HEIGHT - 2 * PAD):.1f}"

    paths = "".join(
        f'<polyline fill="none" stroke="#0969da" points="{" ".join(place(*p) for p in line)}"/>'
        for line in lines
    )
    words = [
        (PAD * 2, 16, title), (PAD * 2, HEIGHT - 10, f"step {left}"),
        (WIDTH - 2 * PAD, HEIGHT - 10, str(right)),
        (4, PAD + 4, f"{high:.3g}"), (4, HEIGHT - PAD, f"{low:.3g}"),
    ]  # fmt: skip
    text = "".join(f'<text x="{x}" y="{y}" font-size="11">{escape(t)}</text>' for x, y, t in words)
    return (
        f'<svg width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="{escape(title)}">{text}{paths}</svg>'
    )
