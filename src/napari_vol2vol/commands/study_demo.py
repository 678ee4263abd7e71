"""Volumes to try a reader study with: procedural torsos, and a stand-in for generated ones."""

from __future__ import annotations

from pathlib import Path

SHAPE = (24, 64, 76)
SPACING_MM = (6.0, 5.2, 5.2)
SMOOTHING_VOXELS = 0.6


def write_demo(folder: Path, count: int) -> list[dict[str, Path]]:
    """Write ``count`` native torsos as real volumes, and the same smoothed as the arm *smoothed*.

    Smoothing stands in for a system that loses fine detail; nothing is translated.
    """
    import numpy as np
    from scipy.ndimage import gaussian_filter

    from napari_vol2vol.io import write_volume
    from napari_vol2vol.phantoms.torso_ct import make_torso_pair
    from napari_vol2vol.volume import Volume

    cases = []
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        native = make_torso_pair(seed=number, shape=SHAPE, spacing_mm=SPACING_MM).native
        smooth = gaussian_filter(np.asarray(native, np.float32), SMOOTHING_VOXELS)
        case = {}
        for arm, data in (("real", np.rint(native)), ("smoothed", smooth)):
            path = folder / arm / f"torso-{number + 1:03d}_CT.nii.gz"
            path.parent.mkdir(exist_ok=True)
            volume = Volume.from_array(data, SPACING_MM, units="HU", modality="CT", name=path.stem)
            write_volume(volume, path, overwrite=True)
            case[arm] = path
        cases.append(case)
    return cases
