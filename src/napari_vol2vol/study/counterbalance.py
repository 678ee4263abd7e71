"""Orders that balance one another, and who reads which cases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

Thing = TypeVar("Thing")


def williams_square(count: int) -> list[list[int]]:
    """Return orders in which every one of ``count`` conditions stands at every place equally often.

    Each also follows each other equally often (Williams, Aust. J. Sci. Res. A 2 (1949) 149): ``count`` orders
    for an even number, twice as many for an odd one.
    """
    first = [0]
    low, high = 1, count - 1
    while len(first) < count:
        first.append(low if len(first) % 2 else high)
        low, high = (low + 1, high) if len(first) % 2 == 0 else (low, high - 1)
    square = [[(place + shift) % count for place in first] for shift in range(count)]
    return square if count % 2 == 0 else square + [order[::-1] for order in square]


def balanced_sides(count: int, rng: np.random.Generator) -> list[bool]:
    """Return ``count`` coin throws with as many of one side as of the other; an odd one falls at random."""
    sides = [True] * (count // 2) + [False] * (count // 2)
    if count % 2:
        sides.append(bool(rng.integers(2)))
    return [sides[i] for i in rng.permutation(count)]


def anchor_and_rotate(
    things: Sequence[Thing], readers: int, per_reader: int | None, anchors: int, rng: np.random.Generator
) -> list[list[Thing]]:
    """Return what each reader reads: the same ``anchors`` things, and a window that rotates over the others.

    Which are anchors, and the order of the others, is drawn; of the others, no thing is read more than once
    more often than any other thing.
    """
    if per_reader is None or per_reader >= len(things):
        return [list(things) for _ in range(readers)]
    shuffled = [things[i] for i in rng.permutation(len(things))]
    shared, others = shuffled[:anchors], shuffled[anchors:]
    width = per_reader - anchors
    return [
        shared + [others[(reader * width + i) % len(others)] for i in range(width)]
        for reader in range(readers)
    ]


def spread(order: Sequence[Thing], later: Sequence[Thing], rng: np.random.Generator) -> list[Thing]:
    """Return ``order`` with the things of ``later`` scattered over its second half."""
    half = len(order) - len(order) // 2
    tail = [*order[half:], *later]
    places = sorted(rng.permutation(len(tail))[: len(later)].tolist())
    rest, extra = iter(order[half:]), iter(later)
    return [*order[:half], *(next(extra) if n in places else next(rest) for n in range(len(tail)))]
