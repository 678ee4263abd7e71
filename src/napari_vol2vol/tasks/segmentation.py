"""Segmentation of regions: from the modalities of one head to a map of labels.

Not among the tasks of the dock: it makes no image. It serves the evaluation of those that do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_vol2vol.errors import VolumeError
from napari_vol2vol.tasks.conditions import in_model_space, pick
from napari_vol2vol.volume import Volume, pad_to_multiple

if TYPE_CHECKING:
    from napari_vol2vol.networks.segresnet import SegResNet

NAME = "segmentation"
#: Every voxel of a modality that is not there, in model space: as dark as air.
MISSING = -1.0


def segment(network: SegResNet, inputs: Sequence[str], volumes: Mapping[str, Volume]) -> NDArray[np.uint8]:
    """Return the label `(z, y, x)` of each voxel: the index of its region among those of the network.

    Each volume is normalised by itself: 0 and its 99.5th percentile become -1 and 1, and values beyond are
    clipped.

    Parameters
    ----------
    inputs : sequence of str
        The modalities in the channel order of the network.
    volumes : mapping of modality to Volume
        On one grid. A modality that is left out is missing: its channel is empty.

    Raises
    ------
    VolumeError
        If none of the inputs is given, one is constant, or they lie on different grids.
    """
    import torch

    given = [name for name in inputs if name in volumes]
    if not given:
        raise VolumeError(
            f"segmentation: found {', '.join(volumes) or 'none'}, accepted is at least one of "
            f"{', '.join(inputs)}"
        )
    first = volumes[given[0]]
    pick(given, volumes, first)
    padded, crop = pad_to_multiple(first.data, network.config.multiple)
    padding = [(s.start, n - s.stop) for s, n in zip(crop, padded.shape, strict=True)]
    empty = torch.full(padded.shape, MISSING)
    channels = [
        in_model_space(volumes[name], padding).clamp(-1, 1) if name in given else empty for name in inputs
    ]
    with torch.inference_mode():
        labels = network(torch.stack(channels)[None])[0].argmax(0)
    return np.ascontiguousarray(labels[crop].numpy().astype(np.uint8))
