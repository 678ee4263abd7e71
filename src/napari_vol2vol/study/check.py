"""What is wrong with a study: everything at once, each in a sentence that names the field."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from napari_vol2vol.ct_windows import CT_WINDOWS
from napari_vol2vol.errors import SettingsError
from napari_vol2vol.study.design import Block, Item, Study, resolved
from napari_vol2vol.study.questions import KINDS
from napari_vol2vol.study.store import check_name

ANALYSES = ("superiority", "equivalence", "non-inferiority")


def problems(study: Study, folder: Path | None = None) -> list[str]:
    """Return what is wrong; empty where the study can be frozen.

    With ``folder``, the files of all volumes are looked for and their sha256 compared where one is given.
    """
    found = [*_names(study), *_rules(study), *(p for q in study.questions for p in q.problems())]
    if found:
        return found
    for block in study.blocks:
        found += _block(study, block)
    return found + (list(_files(study, folder)) if folder is not None else [])


def refuse_problems(study: Study, folder: Path | None = None) -> None:
    """Raise `SettingsError` with everything that is wrong."""
    if found := problems(study, folder):
        raise SettingsError(f"study {study.name}: " + "; ".join(found))


def _names(study: Study) -> Iterator[str]:
    groups = {
        "arm": [a.name for a in study.arms], "case": [c.name for c in study.cases],
        "reader": [r.name for r in study.readers], "question": [q.name for q in study.questions],
        "block": [b.name for b in study.blocks],
    }  # fmt: skip
    for what, names in groups.items():
        if not names:
            yield f"{what}s: found none, accepted is one or more"
        for name, count in Counter(names).items():
            if count > 1:
                yield f"{what}s: found {name!r} {count} times, accepted is every name once"
            try:
                check_name(name, what)
            except SettingsError as error:
                yield str(error)


def _rules(study: Study) -> Iterator[str]:
    if study.seed < 0:
        yield f"seed: found {study.seed}, accepted are whole numbers from 0"
    if not 0 < study.alpha < 0.5:
        yield f"alpha: found {study.alpha:g}, accepted are numbers between 0 and 0.5"
    if study.analysis not in ANALYSES:
        yield f"analysis: found {study.analysis!r}, accepted are {', '.join(ANALYSES)}"
    if study.margin is not None and not 0 < study.margin < 0.5:
        yield f"margin: found {study.margin:g}, accepted are proportions between 0 and 0.5 (0.1 is 10 points)"
    if study.margin is None and study.analysis != "superiority":
        yield f"margin: found none, {study.analysis} needs one, fixed before reading"
    if study.washout_days < 0:
        yield f"washout_days: found {study.washout_days:g}, accepted are numbers from 0"
    yield from _window(study)
    allocation = study.allocation
    if allocation.per_reader is not None and not 0 <= allocation.anchors <= allocation.per_reader:
        yield f"allocation: anchors: found {allocation.anchors}, accepted are 0 to {allocation.per_reader}"


def _window(study: Study) -> Iterator[str]:
    policy = study.window
    for preset in filter(None, (policy.preset, *policy.presets)):
        if preset not in CT_WINDOWS:
            yield f"window: preset: found {preset!r}, accepted are {', '.join(CT_WINDOWS)}"
    low, high = policy.percentiles
    if not 0 <= low < high <= 100:
        yield f"window: percentiles: found {[low, high]}, accepted are 0 to 100, the lower first"


def _block(study: Study, block: Block) -> list[str]:
    where = f"block {block.name!r}"
    found = [] if block.items else [f"{where}: items: found none, accepted is one or more"]
    if not block.questions:
        found.append(f"{where}: questions: found none, accepted is one or more")
    half = min(len(block.items), study.allocation.per_reader or len(block.items)) // 2
    if not 0 <= block.repeats <= half:
        found.append(
            f"{where}: repeats: found {block.repeats}, accepted are 0 to {half}, half of what is read"
        )
    for item in (*block.items, *block.training):
        found += _item(study, block, item)
    trained = {item.case for item in block.training} & {i.case for b in study.blocks for i in b.items}
    if trained:
        found.append(f"{where}: training: found cases that are also read for the study: {_list(trained)}")
    doubled = [i for i, n in Counter((i.case, tuple(sorted(i.arms))) for i in block.items).items() if n > 1]
    if doubled:
        found.append(f"{where}: items: found {doubled[0][0]!r} more than once, accepted is `repeats`")
    return found


def _item(study: Study, block: Block, item: Item) -> Iterator[str]:
    where = f"block {block.name!r}: item {item.case!r}"
    cases = {case.name: case for case in study.cases}
    if item.case not in cases:
        yield f"{where}: found no such case"
        return
    missing = [arm for arm in item.arms if arm not in cases[item.case].volumes]
    if missing or len(set(item.arms)) != len(item.arms) or not item.arms:
        yield f"{where}: arms: found {_list(item.arms)}, the case has {_list(cases[item.case].volumes)}"
    for name in block.questions:
        if name not in {q.name for q in study.questions}:
            yield f"{where}: question: found {name!r}, the study has none of this name"
            continue
        yield from _fits(study, where, item, name)


def _fits(study: Study, where: str, item: Item, name: str) -> Iterator[str]:
    question = study.question(name)
    low, high = KINDS[question.kind]
    if not low <= len(item.arms) <= high:
        yield f"{where}: {question.kind} shows {low} to {high} volumes, found {len(item.arms)}"
    wrong = set(question.positive) - {arm.name for arm in study.arms}
    if wrong:
        yield f"question {name!r}: positive: found {_list(wrong)}, accepted are arms of the study"
    if question.kind == "2afc" and len(set(item.arms) & set(question.positive)) != 1:
        yield f"{where}: {name}: accepted is a pair of which exactly one arm is in `positive`"
    if question.positive and question.kind in ("yes-no", "rating") and len(item.arms) != 1:
        yield f"{where}: {name}: a {question.kind} question about the arm needs single volumes"
    if question.finding is not None and question.finding not in study.case(item.case).findings:
        yield f"{where}: {name}: the case does not say whether {question.finding!r} is present"


def _files(study: Study, folder: Path) -> Iterator[str]:
    from napari_vol2vol.io.provenance import file_sha256

    for case in study.cases:
        for arm, file in case.volumes.items():
            path = resolved(file.path, folder)
            where = f"case {case.name!r}: {arm}"
            if arm not in {a.name for a in study.arms}:
                yield f"{where}: found no such arm"
            if not path.exists():
                yield f"{where}: path: {path} does not exist"
            elif file.sha256 and file_sha256(path) != file.sha256:
                yield f"{where}: sha256: {path} is not the file that was entered"


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
