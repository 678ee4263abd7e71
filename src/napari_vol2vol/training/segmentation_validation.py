"""Dice of every region on held-out procedural heads, while training and in the card of the bundle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from torch import nn

from napari_vol2vol.metrics.overlap import dice
from napari_vol2vol.networks.segresnet import SegResNet
from napari_vol2vol.phantoms.brain import REGIONS, label_map, make_anatomy, paint
from napari_vol2vol.tasks.segmentation import segment
from napari_vol2vol.training.precision import faster_precision
from napari_vol2vol.training.validation import PHANTOM_SEED, PHANTOM_SHAPE
from napari_vol2vol.volume import Volume

Labels = NDArray[np.uint8]
HEADS = 3


class RegionValidation:
    """Callable for `Loop`: segments the centre of three heads with a lesion, which no pool draws.

    Parameters
    ----------
    inputs : sequence of str
        The contrasts in the channel order of the network.
    """

    def __init__(self, inputs: Sequence[str]) -> None:
        self.inputs = tuple(inputs)

    @cached_property
    def _heads(self) -> list[tuple[dict[str, Volume], Labels]]:
        heads = []
        for seed in range(PHANTOM_SEED, PHANTOM_SEED + HEADS):
            anatomy = make_anatomy(seed, PHANTOM_SHAPE, lesion=True)
            images = {
                name: Volume.from_array(paint(anatomy, name, seed), modality=name)  # type: ignore[arg-type]
                for name in self.inputs
            }
            heads.append((images, label_map(anatomy)))
        return heads

    def __call__(self, network: nn.Module) -> dict[str, float]:
        """Return Dice by figure: the mean over regions, that without each input, and every region's own.

        Each is the mean over the heads that have the region; the background does not count.
        """
        assert isinstance(network, SegResNet)
        whole = self._by_region(network, self.inputs)
        figures = {"dice": float(np.mean(list(whole.values())))}
        if len(self.inputs) > 1:
            for name in self.inputs:
                left = self._by_region(network, [other for other in self.inputs if other != name])
                figures[f"dice without {name}"] = float(np.mean(list(left.values())))
        return figures | {f"dice {region}": value for region, value in whole.items()}

    def _by_region(self, network: SegResNet, given: Sequence[str]) -> dict[str, float]:
        found: list[Mapping[str, float | None]] = []
        for images, truth in self._heads:
            with faster_precision():
                labels = segment(network, self.inputs, {name: images[name] for name in given})
            found.append({r: dice(labels == i, truth == i) for i, r in enumerate(REGIONS) if i})
        values = {r: [head[r] for head in found if head[r] is not None] for r in REGIONS[1:]}
        return {r: float(np.mean([v for v in own if v is not None])) for r, own in values.items() if own}
