"""Changes of a study as its designer makes them, each from one study to the next. No Qt."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.study.design import Arm, Block, Case, Item, Reader, Study, VolumeFile, WindowPolicy
from napari_vol2vol.study.preset import REAL, mfm_paper
from napari_vol2vol.study.questions import Question

#: How a block shows cases: all arms at once, one arm a case in turn, or every arm by itself.
TOGETHER, IN_TURN, EACH = "together", "one arm a case, in turn", "each arm by itself"
SHOWN = (TOGETHER, IN_TURN, EACH)
NIFTI = (".nii", ".nii.gz")


def blank(name: str, readers: Sequence[str] = ("R1", "R2")) -> Study:
    """Return a study without cases, questions and blocks."""
    return Study(plain_name(name), (Arm(REAL, "real"),), (), tuple(map(Reader, readers)), (), ())


def plain_name(text: str) -> str:
    """Return a text as a name: letters, digits, ``-`` and ``_``, at most 60."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", text).strip("-")[:60] or "x"


def with_arm(study: Study, name: str, *, generated: bool) -> Study:
    """Add an arm, or say anew whether it is generated."""
    arm = Arm(plain_name(name), name, generated=generated)
    others = tuple(a for a in study.arms if a.name != arm.name)
    return replace(study, arms=(*others, arm) if len(others) == len(study.arms) else _put(study.arms, arm))


def without_arm(study: Study, name: str) -> Study:
    """Remove an arm and its volumes; cases without any volume go too."""
    left = [
        replace(c, volumes={arm: file for arm, file in c.volumes.items() if arm != name}) for c in study.cases
    ]
    arms = tuple(a for a in study.arms if a.name != name)
    return replace(study, arms=arms, cases=tuple(c for c in left if c.volumes))


def with_file(study: Study, case: str, arm: str, path: str) -> Study:
    """Enter one volume; the case is made where there is none of this name."""
    name = plain_name(case)
    found = next((c for c in study.cases if c.name == name), Case(name, {}))
    order = [a.name for a in study.arms]
    if arm not in order:
        raise SettingsError(f"arm: found {arm!r}, accepted are {', '.join(order)}")
    volumes: Mapping[str, VolumeFile] = {**found.volumes, arm: VolumeFile(path)}
    changed = replace(found, volumes={a: volumes[a] for a in order if a in volumes})
    return replace(study, cases=_put(study.cases, changed))


def with_folder(study: Study, folder: Path, arm: str) -> Study:
    """Enter every NIfTI file of a folder; equal file names are the same case.

    Raises
    ------
    SettingsError
        If there is none, or two names would be the same case.
    """
    files = sorted(p for p in folder.iterdir() if p.name.endswith(NIFTI)) if folder.is_dir() else []
    if not files:
        raise SettingsError(
            f"volumes: found no NIfTI file in {folder}, accepted are names in {' or '.join(NIFTI)}"
        )
    names = [plain_name(re.sub(r"\.nii(\.gz)?$", "", p.name)) for p in files]
    if len(set(names)) < len(names):
        raise SettingsError(
            f"volumes: found two files of {folder} that would be one case, accepted are other names"
        )
    for name, path in zip(names, files, strict=True):
        study = with_file(study, name, arm, str(path.resolve()))
    return study


def without_cases(study: Study, names: Sequence[str]) -> Study:
    """Remove cases, also from blocks."""
    gone = set(names)

    def kept(items: tuple[Item, ...]) -> tuple[Item, ...]:
        return tuple(item for item in items if item.case not in gone)

    blocks = tuple(replace(b, items=kept(b.items), training=kept(b.training)) for b in study.blocks)
    return replace(study, cases=tuple(c for c in study.cases if c.name not in gone), blocks=blocks)


def with_question(study: Study, question: Question) -> Study:
    """Add or replace a question; `SettingsError` tells what is wrong with it."""
    if found := question.problems():
        raise SettingsError("; ".join(found))
    return replace(study, questions=_put(study.questions, question))


def with_block(study: Study, block: Block) -> Study:
    """Add or replace a block."""
    return replace(study, blocks=_put(study.blocks, block))


def chosen_cases(study: Study, text: str) -> list[str]:
    """Return the cases that a text like ``1-20, 25`` means (numbers count from 1), or all.

    Raises
    ------
    SettingsError
        If a part is no number or range, or there is no such case.
    """
    names = [case.name for case in study.cases]
    if text.strip().lower() == "all":
        return names
    found: list[str] = []
    for part in filter(None, (p.strip() for p in text.split(","))):
        match = re.fullmatch(r"(\d+)(?:\s*-\s*(\d+))?", part)
        first = int(match[1]) if match else 0
        last = int(match[2] or match[1]) if match else 0
        if not 1 <= first <= last <= len(names):
            raise SettingsError(
                f"cases: found {part!r}, accepted are numbers and ranges from 1 to {len(names)}, or all"
            )
        found += names[first - 1 : last]
    return list(dict.fromkeys(found))


def items_of(cases: Sequence[str], arms: Sequence[str], shown: str) -> tuple[Item, ...]:
    """Return the items of a block over cases, shown as one of `SHOWN`."""
    if shown == TOGETHER:
        return tuple(Item(case, tuple(arms)) for case in cases)
    if shown == IN_TURN:
        return tuple(Item(case, (arms[n % len(arms)],)) for n, case in enumerate(cases))
    return tuple(Item(case, (arm,)) for case in cases for arm in arms)


def paper(study: Study, pairs: int, singles: int, *, ct: bool) -> Study:
    """Return the two experiments of medical flow matching over the study's cases; its rules are kept.

    CT is shown in the paper's abdomen window unless another one was set.

    Raises
    ------
    SettingsError
        If there are too few cases with all arms, or no generated arm.
    """
    arms = [a.name for a in study.arms]
    whole = [c for c in study.cases if set(c.volumes) == set(arms)]
    cases = [{arm: Path(c.volumes[arm].path) for arm in arms} for c in whole]
    made = mfm_paper(study.name, cases, pairs=pairs, singles=singles)
    window = made.window if ct and study.window == WindowPolicy() else study.window
    return replace(
        study, arms=made.arms, cases=made.cases, questions=made.questions, blocks=made.blocks, window=window,
        title=study.title or made.title,
    )  # fmt: skip


def _put(things: tuple, thing: object) -> tuple:
    """Return the things with one more, in the place of the one that has its name."""
    names = [other.name for other in things]
    if thing.name not in names:
        return (*things, thing)
    return tuple(thing if other.name == thing.name else other for other in things)
