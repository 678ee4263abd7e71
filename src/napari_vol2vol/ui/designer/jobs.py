"""The designer's long work, run in a thread. No Qt."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.study.audit import Finding
from napari_vol2vol.study.design import Study, resolved
from napari_vol2vol.study.folder import StudyFolder
from napari_vol2vol.study.json_fields import decode, read_json
from napari_vol2vol.ui.designer.draft import paper, with_arm, with_file

Say = Callable[[str], None]


def with_demo_volumes(study: Study, folder: Path, count: int, say: Say) -> Study:
    """Return a study over procedural torsos and a smoothed stand-in; what was entered before goes."""
    from napari_vol2vol.commands.study_demo import write_demo

    say(f"making {count} procedural torsos …")
    made = write_demo(folder / "volumes", count)
    study = replace(study, cases=(), blocks=(), questions=())
    for arm in made[0]:
        study = with_arm(study, arm, generated=arm != "real")
    for number, case in enumerate(made, 1):
        for arm, path in case.items():
            study = with_file(study, f"torso-{number:03d}", arm, str(path.relative_to(folder)))
    return study


def paper_study(study: Study, folder: Path, pairs: int, singles: int, say: Say) -> Study:
    """Return the paper's experiments over the cases; the first volume tells whether they are CT."""
    from napari_vol2vol.io import read_volume
    from napari_vol2vol.study.body import is_ct

    paths = [resolved(file.path, folder) for case in study.cases[:1] for file in case.volumes.values()]
    return paper(study, pairs, singles, ct=any(is_ct(read_volume(path)) for path in paths[:1]))


def checked(study: Study, folder: Path, say: Say) -> tuple[list[str], list[Finding]]:
    """Return what is wrong, and the leaks of the files where nothing is."""
    from napari_vol2vol.study.check import problems
    from napari_vol2vol.study.freeze import audit_sources

    found = problems(study, folder)
    if found:
        return found, []
    say("looking for leaks …")
    return [], audit_sources(study, folder)


def freeze_study(
    folder: StudyFolder, options: Mapping[str, bool], say: Say
) -> tuple[Study, list[Finding], str]:
    """Freeze; return the study with hashes, the leaks of the copies, and what was done in words."""
    from napari_vol2vol.study.freeze import freeze

    try:
        frozen = freeze(folder, say=say, **options)
    except SettingsError as error:
        if not str(error).startswith("leaks:"):
            raise
        return folder.study(), _leaks_of_copies(folder), f"not frozen: {error}"
    trials = ", ".join(f"{reader} {len(own)}" for reader, own in frozen.trials.items())
    return frozen.study, frozen.after, f"frozen; trials: {trials}; give readers {folder.reading}"


def design_frozen(folder: StudyFolder | None) -> str | None:
    """Return the sha256 of the design that the reading folder was made from, None where there is none."""
    if folder is None or not folder.key.exists() or not folder.reading.exists():
        return None
    return str(read_json(folder.key, "an answer key").get("design_sha256"))


def _leaks_of_copies(folder: StudyFolder) -> list[Finding]:
    found = read_json(folder.audit, "an audit")["after"]
    return [decode(Finding, finding, folder.audit.name) for finding in found]
