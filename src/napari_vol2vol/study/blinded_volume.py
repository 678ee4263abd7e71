"""Read a blinded copy, and say how it is shown first."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from napari_vol2vol.ct_windows import CT_WINDOWS
from napari_vol2vol.errors import StoreError
from napari_vol2vol.study.design import WindowPolicy
from napari_vol2vol.volume import Volume


def load_blinded(path: Path, sha256: str) -> Volume:
    """Read one blinded copy.

    Raises
    ------
    StoreError
        If the file is missing or its sha256 is another one.
    VolumeError
        If it cannot be read.
    """
    from napari_vol2vol.io import read_volume

    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise StoreError(f"{path}: could not be read: {error}") from error
    if found != sha256:
        raise StoreError(f"{path}: sha256: found {found[:12]}, accepted is {sha256[:12]} as frozen")
    return read_volume(path)


def window_limits(policy: WindowPolicy, volumes: Sequence[Volume]) -> tuple[float, float]:
    """Return the values shown black and white: of the preset, or percentiles pooled over the volumes.

    A pooled window shows both volumes of a pair alike, so brightness tells nothing.
    """
    if policy.preset is not None:
        return CT_WINDOWS[policy.preset].limits
    pooled = np.concatenate([volume.data.ravel() for volume in volumes])
    low, high = (float(v) for v in np.percentile(pooled, policy.percentiles))
    return (low, high) if high > low else (low, low + 1.0)
