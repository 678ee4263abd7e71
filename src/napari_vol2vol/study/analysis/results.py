"""All results of a locked study as one JSON object: what the report, the dock and other programs read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import Any

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.study.analysis.by_reader import reader_results
from napari_vol2vol.study.analysis.contests import Contest, contests
from napari_vol2vol.study.analysis.opinions import grading_results, ranking_results, text_results
from napari_vol2vol.study.analysis.pooled import pooled_results
from napari_vol2vol.study.analysis.treatments import treatment_results
from napari_vol2vol.study.analysis.verdict import verdict
from napari_vol2vol.study.design import Study
from napari_vol2vol.study.folder import StudyFolder
from napari_vol2vol.study.json_fields import encode, read_json
from napari_vol2vol.study.merge import require_lock
from napari_vol2vol.study.readings import Reading, unblinded

FORMAT = "napari-vol2vol study results"
_LIBRARIES = ("statsmodels", "sklearn", "nltk", "choix", "networkx")
_PACKAGES = ("napari-vol2vol", "numpy", "scipy", "statsmodels", "scikit-learn", "nltk", "choix")


def analyse(folder: StudyFolder) -> dict[str, Any]:
    """Unblind a locked study and return all results; errors as in `unblinded`."""
    return results(folder, unblinded(folder))


def results(folder: StudyFolder, readings: Sequence[Reading]) -> dict[str, Any]:
    """Return the results of readings that `unblinded` gave; `SettingsError` if a library is missing."""
    require_libraries()
    study = folder.study()
    found = contests(study, readings)
    return {
        "format": FORMAT,
        "version": 1,
        "study": study.name,
        "title": study.title,
        "analysed": datetime.now(UTC).isoformat(timespec="seconds"),
        "design_sha256": study.sha256,
        "seed": study.seed,
        "alpha": study.alpha,
        "margin": study.margin,
        "analysis": study.analysis,
        "packages": _versions(),
        "lock": require_lock(folder),
        "accepted_leaks": read_json(folder.key, "an answer key").get("accepted_leaks", []),
        "sittings": _sittings(readings),
        "contests": [_contest(study, contest) for contest in found],
        "treatments": [r for group in _groups(found) if (r := treatment_results(study, group))],
        "grading": grading_results(study, readings),
        "rankings": ranking_results(study, readings),
        "texts": text_results(study, readings),
        "design": encode(study),
    }


def require_libraries() -> None:
    """Raise `SettingsError` where a library of the extra *study* is missing, naming it."""
    missing = [name for name in _LIBRARIES if find_spec(name) is None]
    if missing:
        raise SettingsError(
            f"analysis: {', '.join(missing)} not installed; accepted is an installation with the extra "
            "[study] (pip install 'napari-vol2vol[study]')"
        )


def _contest(study: Study, contest: Contest) -> dict[str, Any]:
    found = {
        "block": contest.block, "question": contest.question.name, "text": contest.question.text,
        "kind": contest.question.kind, "treatment": contest.treatment,
        "readers": {r: reader_results(contest, r, study.alpha, study.margin) for r in contest.readers},
        "pooled": pooled_results(contest, study),
    }  # fmt: skip
    return found | {"verdict": verdict(study, found)}


def _groups(found: Sequence[Contest]) -> list[list[Contest]]:
    """Return the contests of each question together."""
    names = dict.fromkeys(contest.question.name for contest in found)
    return [[c for c in found if c.question.name == name] for name in names]


def _sittings(readings: Sequence[Reading]) -> dict[str, list[str]]:
    days: dict[str, dict[str, None]] = {}
    for reading in readings:
        days.setdefault(reading.reader, {})[reading.at[:10]] = None
    return {reader: list(dates) for reader, dates in days.items()}


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    return {name: version(name) for name in _PACKAGES}
