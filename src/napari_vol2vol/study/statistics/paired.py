"""Two or more sets of yes/no outcomes on the same cases: McNemar and Cochran, by statsmodels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from napari_vol2vol.errors import SettingsError


@dataclass(frozen=True)
class PairedTest:
    """Test of equal proportions: its name, statistic (None for the exact test), p, and the counts behind."""

    name: str
    statistic: float | None
    p: float
    counts: tuple[int, ...]


def mcnemar(one: ArrayLike, other: ArrayLike) -> PairedTest:
    """Return McNemar's exact test (Psychometrika 12 (1947) 153) of two outcomes `(cases,)`.

    ``counts`` are the cases in which only the first, and only the second, is true.
    """
    from statsmodels.stats.contingency_tables import mcnemar as test

    a, b = np.asarray(one, bool), np.asarray(other, bool)
    if a.shape != b.shape or a.ndim != 1 or a.size == 0:
        raise SettingsError(f"outcomes: found {a.shape} and {b.shape}, accepted are two of the same cases")
    only_one, only_other = int((a & ~b).sum()), int((~a & b).sum())
    table = [[int((a & b).sum()), only_one], [only_other, int((~a & ~b).sum())]]
    found = test(table, exact=True)
    return PairedTest("McNemar exact", None, float(found.pvalue), (only_one, only_other))


def cochran_q(outcomes: ArrayLike) -> PairedTest | None:
    """Return Cochran's Q (Biometrika 37 (1950) 256) of outcomes `(cases, conditions)`.

    None where every case has the same outcome in all conditions.
    """
    from statsmodels.stats.contingency_tables import cochrans_q

    table = np.asarray(outcomes, int)
    if table.ndim != 2 or table.shape[1] < 2:
        raise SettingsError(f"outcomes: found {table.shape}, accepted are cases by two conditions or more")
    if not np.ptp(table, axis=1).any():
        return None
    found = cochrans_q(table)
    return PairedTest("Cochran Q", float(found.statistic), float(found.pvalue), tuple(table.sum(0).tolist()))
