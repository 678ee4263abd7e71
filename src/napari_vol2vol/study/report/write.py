"""Write the report folder of a locked study."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari_vol2vol.study.analysis.contests import contests
from napari_vol2vol.study.analysis.results import results
from napari_vol2vol.study.folder import StudyFolder, as_text, write_text
from napari_vol2vol.study.json_fields import encode
from napari_vol2vol.study.readings import as_csv, unblinded
from napari_vol2vol.study.report.checklists import checklist
from napari_vol2vol.study.report.exports import exportable, imrmc, ratings_csv
from napari_vol2vol.study.report.figures import proportions_figure, roc_figure, times_figure
from napari_vol2vol.study.report.html import page


def write_report(folder: StudyFolder, output: Path | None = None) -> dict[str, Any]:
    """Analyse a locked study; write report.html, results.json, readings.csv and exports; return the results.

    Exports are ``QUESTION.imrmc`` and ``QUESTION.csv`` for every question that rates single volumes.

    Raises
    ------
    SettingsError, StoreError
        As `unblinded`; or if matplotlib is missing.
    """
    readings = unblinded(folder)
    found = results(folder, readings)
    study, where = folder.study(), output or folder.results
    groups = contests(study, readings)
    figures = {}
    for contest, result in zip(groups, found["contests"], strict=True):
        pictures = (proportions_figure(result), roc_figure(contest), times_figure(contest))
        figures[contest.block, contest.treatment] = [png for png in pictures if png is not None]
    items = checklist(found)
    where.mkdir(parents=True, exist_ok=True)
    write_text(where / "report.html", page(found, figures, items))
    write_text(where / "results.json", as_text(found | {"checklist": encode(items)}))
    write_text(where / "readings.csv", as_csv(readings))
    for question, group in exportable(groups).items():
        write_text(where / f"{question}.imrmc", imrmc(study.name, group))
        write_text(where / f"{question}.csv", ratings_csv(group))
    return found
