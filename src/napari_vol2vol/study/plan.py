"""From a study to the trials of every reader: drawn once, from the seed, at freezing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations, pairwise
from typing import Any

import numpy as np

from napari_vol2vol.study.counterbalance import anchor_and_rotate, balanced_sides, spread, williams_square
from napari_vol2vol.study.design import Block, Item, Study
from napari_vol2vol.study.questions import Question
from napari_vol2vol.study.reading_set import Trial

Codes = Mapping[tuple[str, str], str]
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
_DIGITS = "23456789"
_CODES, _ALLOCATION, _ORDERS, _TRIALS = range(4)
_ATTEMPTS = 200


def stream(study: Study, *key: int) -> np.random.Generator:
    """Return the PCG64 stream of a study for one purpose; other purposes never change what it draws."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(study.seed, spawn_key=key)))


def draw_codes(study: Study) -> dict[tuple[str, str], str]:
    """Return a random file code for every case and arm that a block shows."""
    items = [item for block in study.blocks for item in (*block.training, *block.items)]
    shown = sorted({(item.case, arm) for item in items for arm in item.arms})
    rng = stream(study, _CODES)
    return dict(zip(shown, _codes(len(shown), 4, rng), strict=True))


def plan(study: Study, codes: Codes) -> dict[str, tuple[Trial, ...]]:
    """Return the trials of every reader, in order.

    Blocks follow a Williams square over the readers, whose rows are drawn; sides are balanced within reader,
    block and comparison; repeats come in the second half of their block. Trial codes differ between readers.
    """
    count = len(study.readers)
    allocated = {
        block.name: anchor_and_rotate(
            block.items, count, study.allocation.per_reader, study.allocation.anchors,
            stream(study, _ALLOCATION, number),
        )
        for number, block in enumerate(study.blocks)
    }  # fmt: skip
    orders = _block_orders(study)
    found = {}
    for number, reader in enumerate(study.readers):
        rng = stream(study, _TRIALS, number)
        blocks = [study.blocks[i] for i in orders[number]]
        trials = [t for b in blocks for t in _block(study, b, allocated[b.name][number], codes, rng)]
        labels = _codes(len(trials), 5, rng)
        found[reader.name] = tuple(
            replace(trial, id=f"{reader.name}-{n:04d}", code=label)
            for n, (trial, label) in enumerate(zip(trials, labels, strict=True), 1)
        )
    return found


def washout_blocks(study: Study) -> tuple[tuple[str, str], ...]:
    """Return the pairs of blocks that show a case in common."""
    cases = {block.name: {item.case for item in block.items} for block in study.blocks}
    return tuple((a, b) for a, b in combinations(cases, 2) if cases[a] & cases[b])


def right_answer(study: Study, question: Question, item: Item, arms: Sequence[str]) -> Any:
    """Return the right answer to a question of a trial that shows ``arms`` in screen order, or None.

    ``rating`` has no single right answer: True says that high ratings are right, False that low ones are.
    """
    if not question.has_truth:
        return None
    if question.kind == "2afc":
        return "left" if arms[0] in question.positive else "right"
    if question.finding is not None:
        present = study.case(item.case).findings[question.finding]
    else:
        present = arms[0] in question.positive
    return ("yes" if present else "no") if question.kind == "yes-no" else present


def _block_orders(study: Study) -> list[list[int]]:
    count = len(study.blocks)
    if not study.counterbalance or count == 1:
        return [list(range(count)) for _ in study.readers]
    square = williams_square(count)
    rows = stream(study, _ORDERS).permutation(len(square))
    return [square[rows[n % len(square)]] for n in range(len(study.readers))]


def _block(
    study: Study, block: Block, items: Sequence[Item], codes: Codes, rng: np.random.Generator
) -> Iterator[Trial]:
    order = _apart(items, rng)
    early = order[: len(order) - len(order) // 2]
    again = [early[i] for i in rng.permutation(len(early))[: block.repeats]]
    training = _sided(study, block.training, rng)
    tests, repeats = _sided(study, order, rng), _sided(study, again, rng)
    mixed = spread([(a, "test") for a in tests], [(a, "repeat") for a in repeats], rng)
    for (item, arms), role in [*((a, "training") for a in training), *mixed]:
        volumes = tuple(codes[item.case, arm] for arm in arms)
        yield Trial(
            "", "", block.name, role, volumes, block.questions, _feedback(study, block, item, arms, role)
        )


def _feedback(study: Study, block: Block, item: Item, arms: Sequence[str], role: str) -> dict[str, Any]:
    if role != "training":
        return {}
    questions = [study.question(name) for name in block.questions]
    answers = {q.name: right_answer(study, q, item, arms) for q in questions if q.kind in ("2afc", "yes-no")}
    return {name: answer for name, answer in answers.items() if answer is not None}


def _sided(
    study: Study, items: Sequence[Item], rng: np.random.Generator
) -> list[tuple[Item, tuple[str, ...]]]:
    """Return items with their arms in screen order: pairs balanced for each comparison, sets drawn."""
    swaps: dict[int, bool] = {}
    for arms in dict.fromkeys(tuple(sorted(item.arms)) for item in items):
        places = [n for n, item in enumerate(items) if tuple(sorted(item.arms)) == arms]
        swaps |= dict(zip(places, balanced_sides(len(places), rng), strict=True))
    found = []
    for place, item in enumerate(items):
        arms = tuple(sorted(item.arms))
        if len(arms) == 2:
            arms = arms[::-1] if swaps[place] else arms
        elif len(arms) > 2:
            arms = tuple(arms[i] for i in rng.permutation(len(arms)))
        found.append((item, arms))
    return found


def _apart(items: Sequence[Item], rng: np.random.Generator) -> list[Item]:
    """Return a random order without a case twice in a row and with arms mixed, where one can be drawn."""
    kinds = {item.arms for item in items}
    order = [items[i] for i in rng.permutation(len(items))]
    for _ in range(_ATTEMPTS):
        steps = list(pairwise(order))
        mixed = sum(a.arms != b.arms for a, b in steps) >= min(2, len(kinds))
        if (mixed or len(kinds) == 1) and all(a.case != b.case for a, b in steps):
            return order
        order = [items[i] for i in rng.permutation(len(items))]
    return order


def _codes(count: int, length: int, rng: np.random.Generator) -> list[str]:
    """Return distinct random codes: one letter, then digits and letters that cannot be mistaken."""
    found: dict[str, None] = {}
    signs = _LETTERS + _DIGITS
    while len(found) < count:
        tail = "".join(signs[i] for i in rng.integers(len(signs), size=length - 1))
        found[_LETTERS[rng.integers(len(_LETTERS))] + tail] = None
    return list(found)
