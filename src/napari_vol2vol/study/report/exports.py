"""Ratings for other programs: the .imrmc format of iMRMC and RJafroc, and a CSV for MRMCaov and others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.study.analysis.contests import Contest


def exportable(contests: Sequence[Contest]) -> dict[str, list[Contest]]:
    """Return the contests that have one rating a volume, by question.

    Pairs have none: which side is right is drawn for every reader, so a pair is no positive or negative case.
    """
    found: dict[str, list[Contest]] = {}
    for contest in contests:
        if contest.question.kind in ("yes-no", "rating"):
            found.setdefault(contest.question.name, []).append(contest)
    return found


def imrmc(name: str, contests: Sequence[Contest]) -> str:
    """Return a file of iMRMC (Gallas, https://github.com/DIDSR/iMRMC): truth rows, then scores.

    Raises
    ------
    SettingsError
        If there is nothing to write, or a name holds a comma.
    """
    rows = list(_rows(contests))
    if not rows:
        raise SettingsError(
            "export: found no ratings of single volumes, accepted is a question that has some"
        )
    if any("," in part for row in rows for part in row[:3]):
        raise SettingsError("export: found a comma in a name, accepted are names without")
    truth = {case: positive for _, case, _, positive, _ in rows}
    head = [
        name, f"N0: {sum(not t for t in truth.values())}", f"N1: {sum(truth.values())}",
        f"NR: {len({r[0] for r in rows})}", f"NM: {len({r[2] for r in rows})}", "BEGIN DATA:",
    ]  # fmt: skip
    lines = [f"-1,{case},truth,{int(positive)}" for case, positive in truth.items()]
    lines += [f"{reader},{case},{treatment},{score:g}" for reader, case, treatment, _, score in rows]
    return "\n".join([*head, *lines]) + "\n"


def ratings_csv(contests: Sequence[Contest]) -> str:
    """Return ``reader,treatment,case,truth,rating``: what MRMCaov's ``mrmc()`` and others read."""
    lines = [
        f"{reader},{treatment},{case},{int(positive)},{score:g}"
        for reader, case, treatment, positive, score in _rows(contests)
    ]
    return "\n".join(["reader,treatment,case,truth,rating", *lines]) + "\n"


def _rows(contests: Sequence[Contest]) -> Iterator[tuple[str, str, str, bool, float]]:
    """Yield reader, case, treatment, truth and score; a case is one volume where the arm is the truth."""
    for contest in contests:
        about_arm = contest.question.finding is None
        for r in contest.tests:
            if r.score is not None:
                case = f"{r.case}:{r.arms[0]}" if about_arm else r.case
                yield r.reader, case, contest.treatment, bool(r.positive), r.score
