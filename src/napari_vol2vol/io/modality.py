"""Guess what was imaged: from a file name (BIDS suffixes and common names) or from DICOM tags."""

from __future__ import annotations

import re
from typing import Any

_NAMES = {
    "t1ce": "T1ce", "t1c": "T1ce", "t1gd": "T1ce", "t1post": "T1ce",
    "flair": "FLAIR", "t2f": "FLAIR", "t2flair": "FLAIR",
    "t1w": "T1w", "t1": "T1w", "t1n": "T1w", "mprage": "T1w", "mp2rage": "T1w", "spgr": "T1w",
    "t2w": "T2w", "t2": "T2w", "pdw": "PD", "pd": "PD", "ct": "CT",
}  # fmt: skip
_CONTRAST_ENTITIES = ("ce-gadolinium", "ce-gd", "post-contrast", "postcontrast")


def units_of(modality: str | None) -> str:
    """Return the units of a modality's values: ``"HU"`` for CT, ``"a.u."`` otherwise."""
    return "HU" if modality == "CT" else "a.u."


def modality_from_name(name: str) -> str | None:
    """Return the modality that a file name or series description spells out, or None.

    Words are read from the end, where BIDS has its suffix; a contrast entity turns T1w into T1ce.
    """
    lowered = name.lower()
    words = re.sub(r"\.(nii(\.gz)?|dcm)$", "", lowered)
    for word in reversed(re.split(r"[^a-z0-9]+", words)):
        found = _NAMES.get(word)
        if found == "T1w" and any(entity in lowered for entity in _CONTRAST_ENTITIES):
            return "T1ce"
        if found == "T2w" and "flair" in lowered:
            return "FLAIR"
        if found:
            return found
    return None


def modality_from_dicom(dataset: Any) -> str | None:
    """Return the modality of a CT or MR data set from its tags, or None where they do not tell.

    MR: the usual ranges of TE, TR and TI (ms) where they decide, else the series description and protocol
    name. A contrast agent turns T1w into T1ce.
    """
    if dataset.get("Modality") == "CT":
        return "CT"
    texts = [str(dataset.get(key) or "") for key in ("SeriesDescription", "ProtocolName")]
    named = next((found for text in texts if (found := modality_from_name(text))), None)
    guess = _from_timing(dataset) or named
    agent = str(dataset.get("ContrastBolusAgent") or "").strip().lower()
    return "T1ce" if guess == "T1w" and agent not in ("", "none", "no") else guess


def _from_timing(dataset: Any) -> str | None:
    """Gradient echo without inversion stays open: its contrast depends on the flip angle as well."""
    sequence = dataset.get("ScanningSequence") or ""
    kinds = {sequence} if isinstance(sequence, str) else set(sequence)
    times = (dataset.get(key) or 0 for key in ("EchoTime", "RepetitionTime", "InversionTime"))
    echo, repetition, inversion = (float(time) for time in times)
    if "GR" in kinds:
        return "T1w" if 300 <= inversion <= 1300 else None
    if not kinds & {"SE", "IR"} or not echo or not repetition:
        return None
    if inversion:
        return "FLAIR" if inversion > 1500 else None
    if echo >= 70 and repetition >= 1800:
        return "T2w"
    if echo <= 30:
        return "T1w" if repetition <= 900 else "PD" if repetition >= 1800 else None
    return None
