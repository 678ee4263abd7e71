"""The volumes of *File > Open Sample*, as layers with one window."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_vol2vol.ct_windows import CT_WINDOWS
from napari_vol2vol.errors import VolumeError
from napari_vol2vol.samples import sample_folder
from napari_vol2vol.volume import LayerData

#: The window ends so far above the 99.8th percentile that white matter is not burnt out.
PERCENTILE, HEADROOM = 99.8, 1.15


def sample_files() -> list[Path]:
    """Return the volumes that are there, sorted by name."""
    return sorted(sample_folder().glob("*.nii.gz"))


def open_sample(file_name: str, layer_name: str) -> list[LayerData]:
    """Return a shipped volume as layer data.

    Raises
    ------
    VolumeError
        Where the file is not there; the message names those that are.
    """
    from napari_vol2vol.io import read_volume

    path = sample_folder() / file_name
    if not path.is_file():
        there = ", ".join(found.name for found in sample_files()) or "nothing"
        raise VolumeError(f"sample {file_name}: not found in {sample_folder()}, which holds {there}")
    data, keywords, kind = read_volume(path).to_layer()
    limits = (0.0, HEADROOM * float(np.percentile(data, PERCENTILE)))
    return [(data, {**keywords, "name": layer_name, "contrast_limits": limits}, kind)]


def brain_low() -> list[LayerData]:
    """Return a block of a T1 brain at 4 mm, the input of the tutorial."""
    return open_sample("colin27_T1w_block_low.nii.gz", "T1 low")


def brain_reference() -> list[LayerData]:
    """Return the same block at 1 mm, the truth of the tutorial."""
    return open_sample("colin27_T1w_block.nii.gz", "T1 reference")


def whole_head() -> list[LayerData]:
    """Return a whole head at 1 mm; the *Simulate* box makes an input from it."""
    return open_sample("colin27_T1w.nii.gz", "T1 head")


def procedural_head() -> list[LayerData]:
    """Return a procedural head with a lesion: T1ce, low FLAIR, and the FLAIR that both should lead to."""
    names = {"T1ce": "T1ce", "FLAIR_low": "FLAIR low", "FLAIR": "FLAIR reference"}
    return [layer for file, name in names.items() for layer in open_sample(f"procedural_{file}.nii.gz", name)]


def procedural_torso() -> list[LayerData]:
    """Return a procedural torso in native and arterial CT, in the abdomen window."""
    layers = []
    for phase in ("native", "arterial"):
        ((data, keywords, kind),) = open_sample(f"procedural_torso_{phase}_CT.nii.gz", f"CT {phase}")
        layers.append((data, {**keywords, "contrast_limits": CT_WINDOWS["abdomen"].limits}, kind))
    return layers
