"""Bradley-Terry strengths from rankings, by choix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.study.statistics.clustered import bootstrap_cases


@dataclass(frozen=True)
class Strength:
    """How strong an arm is: log strength with mean 0 over arms, its interval over cases, and wins.

    ``low`` and ``high`` are None where too few draws of cases have finite strengths.
    """

    arm: str
    log_strength: float
    low: float | None
    high: float | None
    wins: int
    losses: int


def bradley_terry(
    rankings: Sequence[tuple[object, Sequence[str]]], seed: int, alpha: float = 0.05, resamples: int = 500
) -> list[Strength] | None:
    """Return Bradley and Terry's strengths (Biometrika 39 (1952) 324) by maximum likelihood.

    Each ranking is a case and its arms, best first; it counts as all its pairs. Intervals draw cases with all
    their rankings. None where an arm always wins or always loses against the others: its strength is
    infinite then.
    """
    if not rankings:
        raise SettingsError("rankings: found none, accepted is one or more")
    arms = sorted({arm for _, order in rankings for arm in order})
    place = {arm: n for n, arm in enumerate(arms)}
    cases = list(dict.fromkeys(case for case, _ in rankings))
    pairs = {case: [] for case in cases}  # type: dict[object, list[tuple[int, int]]]
    for case, order in rankings:
        pairs[case] += [(place[a], place[b]) for a, b in combinations(order, 2)]
    every = [pair for case in cases for pair in pairs[case]]
    whole = _strengths(len(arms), every)
    if whole is None:
        return None
    found = []
    for number, arm in enumerate(arms):

        def drawn(indices: object, number: int = number) -> float | None:
            chosen = [pair for i in np.asarray(indices) for pair in pairs[cases[i]]]
            strengths = _strengths(len(arms), chosen)
            return None if strengths is None else float(strengths[number])

        spread = bootstrap_cases(drawn, len(cases), seed, alpha, resamples)
        won = sum(a == number for a, _ in every)
        lost = sum(b == number for _, b in every)
        found.append(Strength(arm, float(whole[number]), spread.low, spread.high, won, lost))
    return found


def _strengths(arms: int, pairs: Sequence[tuple[int, int]]) -> np.ndarray | None:
    import choix
    import networkx

    graph = networkx.DiGraph(pairs)
    if graph.number_of_nodes() < arms or not networkx.is_strongly_connected(graph):
        return None
    found = choix.ilsr_pairwise(arms, list(pairs), alpha=0.0, max_iter=1000)
    return np.asarray(found - found.mean())
