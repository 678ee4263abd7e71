"""Leaks: what tells the arm of a volume although it is no property of the patient. Red where arms differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from napari_vol2vol.study.design import Study
from napari_vol2vol.study.reading_set import Trial
from napari_vol2vol.study.traits import Traits

_SHARE = 0.5
_AUC = 0.85
_P = 0.05
_SLOWER = 1.5
_SECONDS = 0.1
_ORDER_P = 0.001
#: The text of a finding that is not red.
ALIKE = "alike in all arms"


@dataclass(frozen=True)
class Finding:
    """One possible leak: ``red`` where arms differ, in ``words`` how; ``by_arm`` what each arm shows."""

    leak: str
    red: bool
    words: str
    by_arm: Mapping[str, str]


def audit_volumes(traits: Sequence[Traits]) -> list[Finding]:
    """Compare the arms in everything that was measured on their files.

    Where cases come in both of two arms, the arms are compared case by case: exact traits have to be equal,
    and numbers must not lie on one side in every case. Otherwise an exact trait is red where its share in two
    arms differs by half or more, a number where it tells the arms with an AUC of 0.85 (p < 0.05).
    """
    first = traits[0]
    found = [_finding(leak, traits, _words_differ(traits, leak), _show_words) for leak in first.words]
    found += [_finding(leak, traits, _exact_differ(traits, leak), _show_exact) for leak in first.exact]
    found += [_finding(leak, traits, _numbers_differ(traits, leak), _show_number) for leak in first.numbers]
    return [*found, _finding("load time", traits, _slower(traits), _show_seconds)]


def audit_trials(
    study: Study, trials: Mapping[str, Sequence[Trial]], codes: Mapping[tuple[str, str], str]
) -> list[Finding]:
    """Look for a preferred side or place in the order; ``codes`` are those of `draw_codes`."""
    arm_of = {code: arm for (_, arm), code in codes.items()}
    sides, order = [], []
    for reader, own in trials.items():
        tests = [t for t in own if t.role != "training"]
        for block in dict.fromkeys(t.block for t in tests):
            here = [[arm_of[c] for c in t.volumes] for t in tests if t.block == block]
            sides += [f"{reader}, {block}: {words}" for words in _uneven_sides(here)]
            order += [f"{reader}, {block}: {words}" for words in _uneven_order(here)]
    return [
        Finding("side", bool(sides), "; ".join(sides) or "balanced for every reader", {}),
        Finding("order", bool(order), "; ".join(order) or "no arm comes early or late", {}),
    ]


def reds(findings: Sequence[Finding]) -> list[str]:
    """Return the leaks that are red, in words."""
    return [f"{finding.leak}: {finding.words}" for finding in findings if finding.red]


def _finding(leak: str, traits: Sequence[Traits], differences: Iterator[str], show: object) -> Finding:
    words = list(differences)
    assert callable(show)
    by_arm = {arm: show([t for t in traits if t.arm == arm], leak) for arm in _arms(traits)}
    return Finding(leak, bool(words), "; ".join(words) or ALIKE, by_arm)


def _arms(traits: Sequence[Traits]) -> list[str]:
    return list(dict.fromkeys(t.arm for t in traits))


def _pairs(
    traits: Sequence[Traits],
) -> Iterator[tuple[list[Traits], list[Traits], list[tuple[Traits, Traits]]]]:
    """Yield each two arms: the volumes of one, of the other, and those of the same case."""
    for one, other in combinations(_arms(traits), 2):
        first, second = [t for t in traits if t.arm == one], [t for t in traits if t.arm == other]
        by_case = {t.case: t for t in second}
        yield first, second, [(t, by_case[t.case]) for t in first if t.case in by_case]


def _words_differ(traits: Sequence[Traits], leak: str) -> Iterator[str]:
    for first, second, _ in _pairs(traits):
        for word in sorted(frozenset().union(*(t.words[leak] for t in (*first, *second)))):
            a, b = (sum(word in t.words[leak] for t in arm) / len(arm) for arm in (first, second))
            if abs(a - b) >= _SHARE:
                yield f"{word!r} in {a:.0%} of {first[0].arm}, {b:.0%} of {second[0].arm}"


def _exact_differ(traits: Sequence[Traits], leak: str) -> Iterator[str]:
    for first, second, same in _pairs(traits):
        names = f"{first[0].arm} and {second[0].arm}"
        if same:
            count = sum(a.exact[leak] != b.exact[leak] for a, b in same)
            if count:
                yield f"differs between {names} in {count} of {len(same)} cases"
            continue
        shares = [_shares([t.exact[leak] for t in arm]) for arm in (first, second)]
        everywhere = Counter(t.exact[leak] for t in (*first, *second))
        values = [v for v in everywhere if everywhere[v] > 1]
        odd = max((abs(shares[0].get(v, 0.0) - shares[1].get(v, 0.0)) for v in values), default=0.0)
        if odd >= _SHARE:
            yield f"the commonest value differs between {names} by {odd:.0%}"


def _numbers_differ(traits: Sequence[Traits], leak: str) -> Iterator[str]:
    for first, second, same in _pairs(traits):
        one, other = first[0].arm, second[0].arm
        if same:
            above = sum(a.numbers[leak] > b.numbers[leak] for a, b in same)
            below = sum(a.numbers[leak] < b.numbers[leak] for a, b in same)
            if max(above, below) >= max(0.8 * len(same), 1):
                yield f"{'higher' if above > below else 'lower'} in {one} than in {other} of the same case"
            continue
        area, p = _separation([t.numbers[leak] for t in first], [t.numbers[leak] for t in second])
        if max(area, 1 - area) >= _AUC and p < _P:
            yield f"tells {one} from {other} with an AUC of {max(area, 1 - area):.2f}"


def _slower(traits: Sequence[Traits]) -> Iterator[str]:
    for first, second, _ in _pairs(traits):
        times = [sorted(t.seconds for t in arm) for arm in (first, second)]
        fast, slow = sorted(t[len(t) // 2] for t in times)
        if slow > _SLOWER * fast and slow - fast > _SECONDS:
            yield f"{first[0].arm} and {second[0].arm} take {times[0][len(times[0]) // 2]:.3f} s and " + (
                f"{times[1][len(times[1]) // 2]:.3f} s"
            )


def _separation(one: Sequence[float], other: Sequence[float]) -> tuple[float, float]:
    from scipy.stats import mannwhitneyu

    if len({*one, *other}) == 1:
        return 0.5, 1.0
    test = mannwhitneyu(one, other)
    return float(test.statistic) / (len(one) * len(other)), float(test.pvalue)


def _uneven_sides(trials: Sequence[Sequence[str]]) -> Iterator[str]:
    for arms in dict.fromkeys(tuple(sorted(t)) for t in trials if len(t) == 2):
        here = [t for t in trials if tuple(sorted(t)) == arms]
        left = sum(t[0] == arms[0] for t in here)
        # tests and repeats are balanced each, so a reader's block may be off by one in either
        if abs(2 * left - len(here)) > 2:
            yield f"{arms[0]} on the left in {left} of {len(here)}"


def _uneven_order(trials: Sequence[Sequence[str]]) -> Iterator[str]:
    places: dict[str, list[float]] = {}
    for place, arms in enumerate(trials):
        for arm in arms:
            places.setdefault(arm, []).append(float(place))
    for one, other in combinations(places, 2):
        if len(places[one]) + len(places[other]) > len(trials):
            continue  # shown together
        area, p = _separation(places[one], places[other])
        if p < _ORDER_P or (area in (0.0, 1.0) and min(len(places[one]), len(places[other])) >= 5):
            yield f"{one} comes {'late' if area > 0.5 else 'early'} against {other}"


def _shares(values: Sequence[Hashable]) -> dict[Hashable, float]:
    return {value: count / len(values) for value, count in Counter(values).items()}


def _show_words(own: Sequence[Traits], leak: str) -> str:
    counts = Counter(word for t in own for word in t.words[leak])
    return ", ".join(f"{word} ×{n}" for word, n in counts.most_common(6)) or "none"


def _show_exact(own: Sequence[Traits], leak: str) -> str:
    counts = Counter(t.exact[leak] for t in own)
    return ", ".join(f"{value} ×{n}" for value, n in counts.most_common(3))


def _show_number(own: Sequence[Traits], leak: str) -> str:
    values = sorted(t.numbers[leak] for t in own)
    return f"{values[0]:g} to {values[-1]:g}, median {values[len(values) // 2]:g}"


def _show_seconds(own: Sequence[Traits], leak: str) -> str:
    values = sorted(t.seconds for t in own)
    return f"median {values[len(values) // 2]:.3f} s"
