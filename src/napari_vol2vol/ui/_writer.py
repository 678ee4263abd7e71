"""npe2 writer: an image layer becomes .nii or .nii.gz on its source's grid, with its provenance beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from napari_vol2vol.errors import VolumeError
from napari_vol2vol.io import write_volume
from napari_vol2vol.volume import Volume


def volume_of_layer(data: Any, meta: dict[str, Any]) -> Volume:
    """Return the volume of a layer data tuple's array and keywords.

    Raises
    ------
    VolumeError
        Where the layer is not one 3D image, or was rotated, sheared or given an affine.
    """
    for field in ("rotate", "shear", "affine"):
        values = np.asarray(0 if meta.get(field) is None else meta[field], float)
        if not np.allclose(values, np.eye(len(values)) if values.ndim == 2 else 0):
            raise VolumeError(
                f"layer {meta.get('name')}: {field}: found {values.tolist()}, accepted are layers with "
                "scale and translate only; reset the layer's transform"
            )
    return Volume.from_layer(
        data,
        meta.get("scale") if meta.get("scale") is not None else (1.0, 1.0, 1.0),
        meta.get("translate") if meta.get("translate") is not None else (0.0, 0.0, 0.0),
        meta.get("metadata"),
        meta.get("name") or "volume",
        meta.get("units"),
    )


def write_image(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write one image layer; existing files are replaced atomically, as napari's dialog has asked about them.

    Returns the path of the image, as napari expects.

    Raises
    ------
    VolumeError
        Unknown extension, a layer that is not one 3D image, or a failing disk.
    """
    written = write_volume(volume_of_layer(data, meta), Path(path), overwrite=True)
    return [str(written[0])]
