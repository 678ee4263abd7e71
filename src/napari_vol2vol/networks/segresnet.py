"""MONAI's SegResNet on blocks of voxels: segments regions; its encoder gives features."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.networks.blocks import depth_to_space, space_to_depth

#: How a bundle's card names this family of networks.
FAMILY = "monai-segresnet"


@dataclass(frozen=True)
class SegResNetConfig:
    """Widths and depths of `monai.networks.nets.SegResNet` (Myronenko 2018, without the autoencoder).

    ``regions`` names the output channels, the background first. ``stem`` is the edge of the blocks of voxels
    that enter and leave as channels: 2 keeps wide layers at half resolution, which is what a CPU runs
    fastest. Each level of ``blocks_down`` but the first halves the grid and doubles ``filters``.
    """

    in_channels: int
    regions: tuple[str, ...]
    filters: int = 24
    blocks_down: tuple[int, ...] = (1, 2, 2)
    blocks_up: tuple[int, ...] = (1, 1)
    stem: int = 2
    dims: int = 3
    family: str = FAMILY

    @property
    def multiple(self) -> int:
        """Every spatial axis must be divisible by this."""
        return self.stem * self.levels

    @property
    def levels(self) -> int:
        """How far the encoder downsamples below the stem."""
        return int(2 ** (len(self.blocks_down) - 1))

    @property
    def width(self) -> int:
        """Number of features at the bottleneck."""
        return self.filters * self.levels


_PRESETS: dict[str, tuple[int, tuple[int, ...], tuple[int, ...], int]] = {
    "compact": (24, (1, 2, 2), (1, 1), 2),
    "large": (32, (1, 2, 2, 4), (1, 1, 1), 1),
}


def segresnet(preset: str, inputs: int, regions: tuple[str, ...]) -> SegResNetConfig:
    """Return the network of a preset from ``inputs`` channels to one channel a region.

    ``large`` is MONAI's own layout, for a GPU.

    Raises
    ------
    SettingsError
        For an unknown preset.
    """
    if preset not in _PRESETS:
        raise SettingsError(f"SegResNet preset: found {preset!r}, accepted are {', '.join(_PRESETS)}")
    return SegResNetConfig(inputs, regions, *_PRESETS[preset])


class SegResNet(nn.Module):
    """MONAI's SegResNet between `space_to_depth` and `depth_to_space`."""

    def __init__(self, config: SegResNetConfig) -> None:
        super().__init__()
        from monai.networks.nets import SegResNet as Net

        self.config = config
        cells = config.stem**config.dims
        self.net = Net(
            spatial_dims=config.dims,
            init_filters=config.filters,
            in_channels=config.in_channels * cells,
            out_channels=len(config.regions) * cells,
            blocks_down=config.blocks_down,
            blocks_up=config.blocks_up,
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits `(N, regions, *S)` of ``x`` `(N, in_channels, *S)`."""
        return depth_to_space(self.net(self._blocks(x)), self.config.stem)

    def features(self, x: Tensor) -> Tensor:
        """Return the bottleneck averaged over space, `(N, width)`, of ``x`` `(N, in_channels, *S)`."""
        bottleneck, _ = self.net.encode(self._blocks(x))
        return bottleneck.float().flatten(2).mean(2)  # type: ignore[no-any-return]

    def _blocks(self, x: Tensor) -> Tensor:
        return space_to_depth(x, self.config.stem).contiguous(memory_format=torch.channels_last_3d)
