"""Where the bundled sample volumes are: in the wheel, or at the top of a checkout."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from napari_vol2vol.errors import VolumeError


def sample_folder() -> Path:
    """Return the folder of the bundled volumes.

    Raises
    ------
    VolumeError
        If the installation lacks it.
    """
    package = Path(str(resources.files("napari_vol2vol")))
    for folder in (package / "sample_data", package.parents[1] / "sample_data"):
        if folder.is_dir() and any(folder.glob("*.nii.gz")):
            return folder
    raise VolumeError(
        "the bundled sample volumes are missing from this installation; install the package again"
    )
