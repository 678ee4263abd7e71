"""From a checked study to the folder that readers get: audit, blinded copies, key, plan."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.study.audit import Finding, audit_trials, audit_volumes, reds
from napari_vol2vol.study.blinding import harmonised, write_blinded
from napari_vol2vol.study.check import refuse_problems
from napari_vol2vol.study.design import Case, Study, VolumeFile, resolved
from napari_vol2vol.study.folder import StudyFolder, as_text, write_text
from napari_vol2vol.study.json_fields import encode
from napari_vol2vol.study.plan import draw_codes, plan, washout_blocks
from napari_vol2vol.study.questions import Question
from napari_vol2vol.study.reading_set import BlockText, ReadingSet, Trial, reading_file, volume_file
from napari_vol2vol.study.traits import Traits, measure

KEY_FORMAT = "napari-vol2vol answer key"
Say = Callable[[str], None]
Codes = Mapping[tuple[str, str], str]


@dataclass(frozen=True)
class Frozen:
    """What freezing made: findings on the files as they came, on the blinded copies, and on the plan."""

    study: Study
    before: list[Finding]
    after: list[Finding]
    trials: Mapping[str, tuple[Trial, ...]]


def audit_sources(study: Study, folder: Path) -> list[Finding]:
    """Look for leaks in the files as they came; see `audit_volumes`."""
    return audit_volumes(_measured(study, lambda c, a: resolved(c.volumes[a].path, folder)))


def freeze(
    folder: StudyFolder, *, accept_leaks: bool = False, harmonise: bool = True, say: Say = lambda text: None
) -> Frozen:
    """Write ``reading/``, ``key.json`` and ``audit.json``; a second call before the first answer writes anew.

    The sha256 of every volume is entered in the study file. Without ``harmonise`` copies are still renamed
    and written anew (int16 where the file held whole numbers), but keep grid, values and air.

    Raises
    ------
    SettingsError
        If the study has problems, was answered already, or (without ``accept_leaks``) the copies still leak.
    """
    folder.refuse_changes_after_the_first_answer()
    study = folder.study()
    refuse_problems(study, folder.path)
    say("hashing volumes")
    study = with_hashes(study, folder.path)
    before = audit_sources(study, folder.path)
    codes = draw_codes(study)
    trials = plan(study, codes)
    shutil.rmtree(folder.reading, ignore_errors=True)
    hashes = _write_copies(study, folder, codes, harmonise, say)
    after = audit_volumes(_measured(study, lambda c, a: volume_file(folder.reading, codes[c.name, a]), codes))
    after += audit_trials(study, trials, codes)
    _write_audit(folder, before, after)
    if (found := reds(after)) and not accept_leaks:
        shutil.rmtree(folder.reading, ignore_errors=True)
        raise SettingsError(
            "leaks: the blinded copies still tell the arms: " + "; ".join(found) + ". Accepted are copies "
            "without leaks (harmonise: body_mask, spacing_mm, shape), or --accept-leaks, which is reported"
        )
    folder.save(study)
    write_text(reading_file(folder.reading), as_text(encode(reading_set(study, trials, hashes))))
    _write_key(study, folder, codes, hashes, reds(after))
    return Frozen(study, before, after, trials)


def with_hashes(study: Study, folder: Path) -> Study:
    """Return the study with the sha256 of every volume."""
    from napari_vol2vol.io.provenance import file_sha256

    def hashed(case: Case) -> Case:
        files = {
            arm: VolumeFile(file.path, file_sha256(resolved(file.path, folder)))
            for arm, file in case.volumes.items()
        }
        return replace(case, volumes=files)

    return replace(study, cases=tuple(hashed(case) for case in study.cases))


def reading_set(study: Study, trials: Mapping[str, Sequence[Trial]], hashes: Mapping[str, str]) -> ReadingSet:
    """Return what the reading side may know of a study: nothing that tells an arm."""
    from napari_vol2vol.io.provenance import package_versions

    return ReadingSet(
        study=study.name,
        title=study.title,
        design_sha256=study.sha256,
        questions=tuple(_blind(question) for question in study.questions),
        blocks={b.name: BlockText(b.title, b.instructions) for b in study.blocks},
        volumes=dict(hashes),
        readers={reader: tuple(own) for reader, own in trials.items()},
        window=study.window,
        washout_days=study.washout_days,
        washout_blocks=washout_blocks(study),
        end_text=study.end_text,
        packages=package_versions(),
    )


def shown_volumes(study: Study) -> list[tuple[Case, str]]:
    """Return every case and arm that a block shows, once."""
    items = [item for block in study.blocks for item in (*block.training, *block.items)]
    pairs = dict.fromkeys((item.case, arm) for item in items for arm in item.arms)
    return [(study.case(case), arm) for case, arm in pairs]


def _blind(question: Question) -> Question:
    return replace(question, positive=(), finding=None)


def _measured(study: Study, path_of: Callable[[Case, str], Path], codes: Codes | None = None) -> list[Traits]:
    codes = codes or {}
    return [
        measure(path_of(case, arm), case.name, arm, codes.get((case.name, arm), ""))
        for case, arm in shown_volumes(study)
    ]


def _write_copies(
    study: Study, folder: StudyFolder, codes: Codes, harmonise: bool, say: Say
) -> dict[str, str]:
    from napari_vol2vol.io import read_volume

    hashes = {}
    (folder.reading / "volumes").mkdir(parents=True)
    for number, case in enumerate(study.cases, 1):
        arms = [arm.name for arm in study.arms if (case.name, arm.name) in codes]
        if not arms:
            continue
        say(f"blinding case {number} of {len(study.cases)}")
        volumes = {arm: read_volume(resolved(case.volumes[arm].path, folder.path)) for arm in arms}
        made = harmonised(volumes, study.harmonise) if harmonise else volumes
        for arm, volume in made.items():
            path = volume_file(folder.reading, codes[case.name, arm])
            write_blinded(volume, path)
            hashes[path.stem] = hashlib.sha256(path.read_bytes()).hexdigest()
            os.utime(path, (0, 0))  # the order of writing would tell cases and arms
    return dict(sorted(hashes.items()))


def _write_key(
    study: Study, folder: StudyFolder, codes: Codes, hashes: Mapping[str, str], leaks: Sequence[str]
) -> None:
    volumes = {
        code: {
            "case": case, "arm": arm, "sha256": hashes[code],
            "source_sha256": study.case(case).volumes[arm].sha256,
        }
        for (case, arm), code in codes.items()
    }  # fmt: skip
    key: dict[str, Any] = {
        "format": KEY_FORMAT, "version": 1, "design_sha256": study.sha256,
        "reading_sha256": hashlib.sha256(reading_file(folder.reading).read_bytes()).hexdigest(),
        "volumes": volumes, "accepted_leaks": list(leaks),
    }  # fmt: skip
    write_text(folder.key, as_text(key))


def _write_audit(folder: StudyFolder, before: Sequence[Finding], after: Sequence[Finding]) -> None:
    write_text(folder.audit, as_text({"before": encode(list(before)), "after": encode(list(after))}))
