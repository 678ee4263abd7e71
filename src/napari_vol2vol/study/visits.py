"""Which slices of which plane a reader looked at."""

from __future__ import annotations

from collections import defaultdict


class Visits:
    """Slices looked at, by position on the screen and plane; each counts once a trial."""

    def __init__(self) -> None:
        self._seen: defaultdict[tuple[int, str], set[int]] = defaultdict(set)

    def add(self, position: int, plane: str, index: int) -> None:
        """Note one slice."""
        self._seen[position, plane].add(int(index))

    def clear(self) -> None:
        """Forget everything, for the next trial."""
        self._seen.clear()

    def as_json(self) -> list[dict[str, object]]:
        """Return one record a position and plane, with ranges ``[first, last]`` of slices."""
        return [
            {"position": position, "plane": plane, "count": len(seen), "ranges": _ranges(seen)}
            for (position, plane), seen in sorted(self._seen.items())
        ]


def _ranges(seen: set[int]) -> list[list[int]]:
    found: list[list[int]] = []
    for index in sorted(seen):
        if found and index == found[-1][1] + 1:
            found[-1][1] = index
        else:
            found.append([index, index])
    return found
