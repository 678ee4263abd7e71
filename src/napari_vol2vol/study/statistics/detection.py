"""Signal detection: d' and criterion of yes/no and of two-alternative forced choice."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt


@dataclass(frozen=True)
class Detection:
    """``d_prime``; ``criterion`` (positive where readers prefer *no*, or *right*); the two rates used.

    ``corrected`` says that 1/2 was added to each cell (log-linear rule), as a rate was 0 or 1.
    """

    d_prime: float
    criterion: float
    hit_rate: float
    false_alarm_rate: float
    corrected: bool


def yes_no(hits: int, positives: int, false_alarms: int, negatives: int) -> Detection:
    """Return d' = z(H) - z(F) and c = -(z(H) + z(F)) / 2 (Macmillan and Creelman, Detection Theory, 2005).

    Where a rate is 0 or 1, Hautus' log-linear rule (Behav. Res. Methods 27 (1995) 46) is applied to both.
    """
    from scipy.stats import norm

    corrected = hits in (0, positives) or false_alarms in (0, negatives)
    extra = 0.5 if corrected else 0.0
    hit = (hits + extra) / (positives + 2 * extra)
    false = (false_alarms + extra) / (negatives + 2 * extra)
    one, other = float(norm.ppf(hit)), float(norm.ppf(false))
    return Detection(one - other, -(one + other) / 2, hit, false, corrected)


def two_alternative(left_when_left: int, on_left: int, left_when_right: int, on_right: int) -> Detection:
    """Return d' of a two-alternative forced choice, free of a preference for a side.

    *Left* is taken as the hit where the target was on the left: d' = (z(H) - z(F)) / sqrt 2, which is
    sqrt 2 z(proportion correct) for a reader without preference (Macmillan and Creelman, 2005, ch. 7).
    """
    found = yes_no(left_when_left, on_left, left_when_right, on_right)
    return Detection(
        found.d_prime / sqrt(2), found.criterion, found.hit_rate, found.false_alarm_rate, found.corrected
    )
