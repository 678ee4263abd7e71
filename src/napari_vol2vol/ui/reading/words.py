"""What the reading window may say: texts from the session without names of blocks, files and folders."""

from __future__ import annotations

from napari_vol2vol.study.session import ReadingSession

KEYS = (
    "↑ ↓ PgUp PgDn slices  ·  Tab ← → view  ·  M one plane  ·  + − zoom  ·  R reset  ·  "
    "W presets, Shift+arrows window  ·  P pause  ·  Esc leave"
)
LOCKED_KEYS = KEYS.replace("W presets, Shift+arrows window  ·  ", "")
WELCOME = "Every answer is saved at once and cannot be changed. You can pause at any time."
LEAVE = "Everything that was answered is saved. Reading goes on at the case that is not answered yet."


def blinded(text: str, session: ReadingSession) -> str:
    """Return a message without what could tell a volume: block names, volume codes, the folder's path.

    Names of blocks are the designer's and may name a system; titles are written for readers.
    """
    blocks = session.set.blocks
    for number, name in sorted(enumerate(blocks, 1), key=lambda pair: -len(pair[1])):
        text = text.replace(f"block {name}", f"“{blocks[name].title or f'part {number}'}”")
    for code in session.set.volumes:
        text = text.replace(f"{code}.nii", "a volume")
    for folder in (session.folder.resolve(), session.folder):
        text = text.replace(f"{folder}/", "")
    return text


def intro(session: ReadingSession) -> tuple[str, str]:
    """Return title and text of the page before the present trial."""
    trial, progress = session.trial, session.progress
    assert trial is not None
    text = session.set.blocks.get(trial.block)
    title = (text.title if text else "") or session.set.title or "Reading"
    lines = [text.instructions] if text and text.instructions else []
    if progress.block_done:
        lines.append(f"You go on at case {progress.block_done + 1} of {progress.block_total}.")
    else:
        lines.append(f"{progress.block_total} cases" if progress.block_total != 1 else "One case")
        training = sum(t.block == trial.block and t.role == "training" for t in session.trials)
        if training:
            lines.append(f"The first {training} are for training; you will be told the right answer.")
    return title[:1].upper() + title[1:], "\n".join([*lines, "", WELCOME])
