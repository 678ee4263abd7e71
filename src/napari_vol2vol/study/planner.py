"""What a study can show, in words, and whether the tests keep their level."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from napari_vol2vol.study.json_fields import encode
from napari_vol2vol.study.statistics.planning import (
    equivalence_power,
    equivalence_size,
    superiority_power,
    superiority_size,
)
from napari_vol2vol.study.statistics.simulation import null_rates_of_auc, null_rates_of_proportion

MARGINS = (0.10, 0.15, 0.20)


def plan_of(
    sizes: Mapping[str, int], *, true: float = 0.7, margin: float | None = None, power: float = 0.8,
    alpha: float = 0.05,
) -> dict[str, Any]:  # fmt: skip
    """Return power for each number of trials (of one reader), and the numbers that are needed."""
    margins = (margin,) if margin is not None else MARGINS
    return {
        "true": true,
        "power": power,
        "alpha": alpha,
        "superiority_needs": superiority_size(true, power, alpha=alpha) if true != 0.5 else None,
        "equivalence_needs": {f"{m:g}": equivalence_size(m, power, alpha=alpha) for m in margins},
        "blocks": {
            name: {
                "superiority": encode(superiority_power(n, true, alpha=alpha)),
                "equivalence": [encode(equivalence_power(n, m, alpha=alpha)) for m in margins],
            }
            for name, n in sizes.items()
        },
    }


def plan_words(plan: Mapping[str, Any]) -> Iterator[str]:
    """Yield the plan as lines of plain words."""
    for name, block in plan["blocks"].items():
        one = block["superiority"]
        where = f"{name}: {one['n']} trials"
        if one["rejects_from"] is None:
            yield f"{where}: no number of right answers rejects 50 % at {one['alpha']:g}"
        else:
            yield (
                f"{where}: 50 % is rejected only at {one['rejects_from']} or more right (or "
                f"{one['rejects_to']} or fewer); power {one['power']:.2f} at a true {one['true']:.2f}"
            )
        for tested in block["equivalence"]:
            points = f"±{100 * tested['margin']:g} points"
            if tested["passes_from"] is None:
                yield f"{where}: equivalence within {points} cannot be shown, whatever is answered"
            else:
                yield (
                    f"{where}: equivalence within {points} is shown at {tested['passes_from']} to "
                    f"{tested['passes_to']} right; power {tested['power']:.2f}"
                )
    power = f"with power {plan['power']:g}"
    if plan["superiority_needs"] is not None:
        yield f"to reject 50 % at a true {plan['true']:.2f} {power}: {plan['superiority_needs']} trials"
    for margin, n in plan["equivalence_needs"].items():
        yield f"to show equivalence within ±{100 * float(margin):g} points {power}: {n} trials"
    yield "of one reader; several readers of the same cases count as fewer than their trials"


def calibration(runs: int, seed: int) -> list[dict[str, Any]]:
    """Return how often tests at 5 % reject in simulated studies without any effect; rows as dictionaries.

    Naive pooling is shown beside the tests that are used, as what they are for.
    """
    rows: list[dict[str, Any]] = []
    for readers, cases in ((2, 20), (4, 20), (2, 60)):
        rates = null_rates_of_proportion(runs, readers, cases, seed)
        for name, words in (
            ("naive", "pooled trials, naively (not used)"),
            ("case-aware", "pooled, by cases"),
        ):
            rows.append({"test": words, "readers": readers, "cases": cases, "rate": rates[name]})
    for readers, each in ((2, 25), (4, 25), (5, 50)):
        for inference, rate in null_rates_of_auc(runs, readers, each, each, seed).items():
            words = f"Obuchowski-Rockette, AUC, {inference}"
            rows.append({"test": words, "readers": readers, "cases": 2 * each, "rate": rate})
    return rows
