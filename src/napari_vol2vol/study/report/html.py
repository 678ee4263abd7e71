"""The report as one HTML page that needs nothing beside it."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from napari_vol2vol.study.report.checklists import ChecklistItem

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; max-width: 62em; margin: 2em auto; padding: 0 1em; color: #222 }
table { border-collapse: collapse; margin: .6em 0 } td, th { border: 1px solid #ccc; padding: .25em .6em }
th { background: #f3f3f3; text-align: left } .verdict { background: #eef4f8; padding: .5em .8em }
.red { color: #b00020; font-weight: 600 } .missing { color: #888 } img { max-width: 100% }
"""


def page(
    results: Mapping[str, Any],
    figures: Mapping[tuple[str, str], Sequence[bytes]],
    items: Sequence[ChecklistItem],
) -> str:
    """Return the page. ``figures`` are PNG bytes by block and treatment."""
    title = results["title"] or results["study"]
    parts = [f"<h1>{escape(title)}</h1>", _head(results)]
    parts += [_contest(c, figures.get((c["block"], c["treatment"]), ())) for c in results["contests"]]
    parts += [_treatments(results), _opinions(results), _checklist(items)]
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body>{''.join(parts)}</body></html>\n"
    )


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return an HTML table; every cell is escaped."""
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(number(c))}</td>" for c in row) + "</tr>" for row in rows)
    return f"<table><tr>{top}</tr>{body}</table>"


def number(value: object) -> str:
    """Return a cell: floats with three digits, nothing as a dash."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.2g}" if 0 < abs(value) < 0.001 else f"{value:.3f}"
    return str(value)


def _head(results: Mapping[str, Any]) -> str:
    rows: list[tuple[str, object]] = [
        ("study", results["study"]),
        ("design sha256", results["design_sha256"]),
        ("seed (PCG64)", results["seed"]),
        ("planned for", results["analysis"]),
        ("margin", results["margin"]),
        ("alpha", results["alpha"]),
        ("locked", results["lock"]["locked"]),
        ("analysed", results["analysed"]),
        ("sittings", "; ".join(f"{r}: {', '.join(d)}" for r, d in results["sittings"].items())),
        ("software", ", ".join(f"{n} {v}" for n, v in results["packages"].items())),
    ]
    warnings = [
        *(f"leak accepted before reading: {leak}" for leak in results["accepted_leaks"]),
        *(f"not finished: {reader}" for reader in results["lock"]["incomplete"]),
        *(f"{reader}: {w}" for reader, ws in results["lock"]["washout"].items() for w in ws),
    ]
    red = "".join(f'<p class="red">{escape(warning)}</p>' for warning in warnings)
    return table(("", ""), rows) + red


def _contest(contest: Mapping[str, Any], figures: Sequence[bytes]) -> str:
    head = (
        f"<h2>{escape(contest['block'])}: {escape(contest['treatment'])}</h2><p>{escape(contest['text'])}</p>"
    )
    verdict = f'<p class="verdict">{escape(contest["verdict"])}</p>'
    images = "".join(
        f'<p><img alt="figure" src="data:image/png;base64,{base64.b64encode(png).decode()}"></p>'
        for png in figures
    )
    return head + verdict + _readers(contest) + _pooled(contest["pooled"]) + images


def _readers(contest: Mapping[str, Any]) -> str:
    head = ("reader", "right", "exact interval", "exact p", "d'", "criterion", "AUC", "AUC interval",
            "preference p", "median s", "halves p", "repeats alike")  # fmt: skip
    rows = []
    for reader, found in contest["readers"].items():
        right, area = found.get("correct"), found["auc"] or {}
        sense, again = found.get("detection") or {}, found["repeats"]
        rows.append(
            (
                reader,
                right and f"{right['k']}/{right['n']}",
                right and f"{right['low']:.3f} to {right['high']:.3f}",
                right and right["p"],
                sense.get("d_prime"),
                sense.get("criterion"),
                area.get("value"),
                _interval(area),
                found.get("preference", {}).get("p"),
                found["times"]["median"],
                found["drift"].get("halves_p"),
                again and f"{again['same']}/{again['n']}",
            )
        )
    return table(head, rows)


def _pooled(pooled: Mapping[str, Any]) -> str:
    rows = []
    correct = pooled.get("correct")
    if correct:
        for inference in ("cases", "readers and cases"):
            if found := correct.get(inference):
                equal = found.get("equivalence") or {}
                rows.append(
                    (f"right, over {inference}", found["value"], _interval(found), found["p"], equal.get("p"))
                )
        boot = correct["bootstrap"] or {}
        rows.append(("right, bootstrap of cases", boot.get("value"), _interval(boot), None, None))
    if area := pooled["auc"]:
        rows.append(("AUC, jackknife of cases", area["value"], _interval(area), area["p"], None))
    agreement = pooled["agreement"] or {}
    kinds = ("fleiss_kappa", "krippendorff_alpha", "gwet_ac1")
    said = ", ".join(f"{k.replace('_', ' ')} {number(agreement.get(k))}" for k in kinds) if agreement else "–"
    words = f"<p>{escape(pooled['words'].capitalize())}. Agreement: {escape(said)}.</p>"
    return table(("over readers", "value", "interval", "p", "equivalence p"), rows) + words


def _treatments(results: Mapping[str, Any]) -> str:
    parts = []
    for group in results["treatments"]:
        rows = []
        for figure, found in (
            ("right", group.get("correct")),
            ("AUC", (group.get("auc") or {}).get("jackknife")),
        ):
            for inference in ("readers and cases", "cases", "readers"):
                for d in (found or {}).get(inference, {}).get("differences", ()):
                    names = (group["treatments"][d["one"]], group["treatments"][d["other"]])
                    rows.append(
                        (
                            figure,
                            f"{names[0]} − {names[1]}",
                            inference,
                            d["value"],
                            _interval(d),
                            d["df"],
                            d["p"],
                        )
                    )
        head = ("figure", "difference", "over", "value", "interval", "df", "p")
        parts.append(f"<h2>Treatments: {escape(group['question'])}</h2>" + table(head, rows))
    return "".join(parts)


def _opinions(results: Mapping[str, Any]) -> str:
    parts = []
    if grading := results["grading"]:
        rows = [
            (
                g["criterion"],
                f"{g['other']} over {g['one']}",
                g["area"]["value"],
                _interval(g["area"]),
                g["p"],
            )
            for g in grading
        ]
        head = ("criterion", "grades", "area (VGC)", "interval", "p")
        parts.append("<h2>Visual grading</h2>" + table(head, rows))
    for ranking in results["rankings"]:
        rows = [
            (s["arm"], s["log_strength"], _interval(s), s["wins"], s["losses"])
            for s in ranking["strengths"] or ()
        ]
        head = ("arm", "log strength", "interval", "wins", "losses")
        note = "" if rows else "<p>An arm always won or always lost: its strength is not finite.</p>"
        parts.append(f"<h2>Ranking: {escape(ranking['question'])}</h2>" + table(head, rows) + note)
    return "".join(parts)


def _checklist(items: Sequence[ChecklistItem]) -> str:
    parts = []
    for name in dict.fromkeys(item.checklist for item in items):
        own = [item for item in items if item.checklist == name]
        known = [(item.number, item.name, item.text) for item in own if item.text is not None]
        missing = ", ".join(f"{item.number} {item.name}" for item in own if item.text is None)
        parts.append(f"<h2>{escape(name)}</h2>" + table(("item", "", ""), known))
        parts.append(f'<p class="missing">Missing: {escape(missing)}.</p>')
    return "".join(parts)


def _interval(found: Mapping[str, Any]) -> str | None:
    if found.get("low") is None or found.get("high") is None:
        return None
    return f"{found['low']:.3f} to {found['high']:.3f}"
