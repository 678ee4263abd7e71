#!/usr/bin/env python3
"""Make sample_data/ from colin27 (`scripts/fetch_volumes.py colin27`): the head, a block, its 4x low twin.

make_sample_data.py COLIN27.nii.gz [SAMPLE_DATA_FOLDER]
"""

import sys
from dataclasses import replace
from pathlib import Path

from napari_vol2vol.evaluation.super_resolution_table import central_block
from napari_vol2vol.io import read_volume, write_volume
from napari_vol2vol.tasks import get_task

SIZE = 96


def main(source: str, folder: str = "sample_data") -> None:
    """Write the three sample volumes."""
    head = replace(read_volume(source), name="colin27_T1w", modality="T1w")
    target = Path(folder)
    write_volume(head, target / "colin27_T1w.nii.gz", overwrite=True)
    block = central_block(head, SIZE, scaled=False)
    write_volume(block, target / "colin27_T1w_block.nii.gz", overwrite=True)
    low = get_task("super-resolution").degrade(block)
    write_volume(low, target / "colin27_T1w_block_low.nii.gz", overwrite=True)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(*sys.argv[1:])
