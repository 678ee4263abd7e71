"""Ready-made designs. ``mfm-paper``: the two experiments of medical flow matching, section 4.2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.study.design import Arm, Block, Case, Item, Reader, Study, VolumeFile, WindowPolicy
from napari_vol2vol.study.questions import Question

PRESETS = ("mfm-paper",)
PAIRS, SINGLES = 20, 20
REAL = "real"
_WHICH = "Which of the two is generated?"
_IS_IT = "Is this volume generated?"


def pairs_of_folders(real: Path, generated: Path) -> list[tuple[str, Path, Path]]:
    """Return the volumes that have the same file name in two folders: name, real, generated.

    Raises
    ------
    SettingsError
        If a folder does not exist or the two share no name.
    """
    for folder in (real, generated):
        if not folder.is_dir():
            raise SettingsError(f"volumes: found no folder {folder}, accepted is one with NIfTI files")
    here, there = (
        {p.name: p for p in f.iterdir() if p.name.endswith((".nii", ".nii.gz"))} for f in (real, generated)
    )
    names = sorted(here.keys() & there.keys())
    if not names:
        raise SettingsError(
            f"volumes: {real} and {generated} share no file name, accepted are equal names for the same case"
        )
    return [(name, here[name], there[name]) for name in names]


def mfm_paper(
    name: str,
    cases: Sequence[Mapping[str, Path]],
    *,
    readers: Sequence[str] = ("R1", "R2"),
    pairs: int = PAIRS,
    singles: int = SINGLES,
    seed: int = 0,
    window: str | None = "abdomen",
    confidence: tuple[int, int] | None = (1, 5),
    margin: float | None = None,
    analysis: str = "superiority",
) -> Study:
    """Return the paper's protocol over cases ``{"real": path, system: path, ...}``.

    For every system: a block of ``pairs`` (which is generated?) and one of ``singles`` (real or generated?,
    half and half, new cases). Further cases, up to two, train on pairs. The paper asks for no confidence.

    Raises
    ------
    SettingsError
        If there are too few cases, or a case lacks an arm.
    """
    systems = _systems(cases, pairs, singles)
    entered = [_case(n, case) for n, case in enumerate(cases[: pairs + singles + 2], 1)]
    names = [case.name for case in entered]
    training = names[pairs + singles :]
    blocks = []
    for number, system in enumerate(systems):
        title = f"{chr(65 + number)}: " if len(systems) > 1 else ""
        blocks += _blocks(system, title, names[:pairs], names[pairs : pairs + singles], training)
    generated = tuple(systems)
    return Study(
        name,
        (Arm(REAL, "real"), *(Arm(system, system, generated=True) for system in systems)),
        tuple(entered),
        tuple(Reader(reader) for reader in readers),
        (
            Question("which", "2afc", _WHICH, positive=generated, confidence=confidence),
            Question("is-it", "yes-no", _IS_IT, positive=generated, confidence=confidence),
        ),
        tuple(blocks),
        title="Real or generated?",
        seed=seed,
        margin=margin,
        analysis=analysis,
        window=WindowPolicy(preset=window, presets=("abdomen", "liver", "bone", "lung") if window else ()),
    )


def _systems(cases: Sequence[Mapping[str, Path]], pairs: int, singles: int) -> list[str]:
    arms = list(cases[0]) if cases else []
    systems = [arm for arm in arms if arm != REAL]
    if not systems or any(list(case) != arms for case in cases):
        raise SettingsError(
            f"cases: found arms {arms}, accepted are {REAL!r} and the same systems in all cases"
        )
    if len(cases) < pairs + singles:
        raise SettingsError(
            f"cases: found {len(cases)}, accepted are {pairs + singles} or more "
            f"({pairs} pairs, {singles} singles)"
        )
    if singles % 2:
        raise SettingsError(f"singles: found {singles}, accepted is an even number, half of each arm")
    return systems


def _case(number: int, volumes: Mapping[str, Path]) -> Case:
    return Case(f"case-{number:03d}", {arm: VolumeFile(str(path)) for arm, path in volumes.items()})


def _blocks(
    system: str, title: str, paired: Sequence[str], single: Sequence[str], training: Sequence[str]
) -> list[Block]:
    found = []
    if paired:
        found.append(
            Block(
                f"pairs-{system}",
                tuple(Item(case, (REAL, system)) for case in paired),
                ("which",),
                title=f"{title}pairs",
                instructions="Each pair shows one patient twice. One of the two volumes is generated.",
                training=tuple(Item(case, (REAL, system)) for case in training),
            )
        )
    if single:
        found.append(
            Block(
                f"singles-{system}",
                tuple(Item(case, ((REAL, system)[n % 2],)) for n, case in enumerate(single)),
                ("is-it",),
                title=f"{title}single volumes",
                instructions="Each volume is either real or generated.",
            )
        )
    return found
