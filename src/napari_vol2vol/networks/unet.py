"""The U-Net of Score-Fusion (tables 11 to 13), in 2D or 3D, with an optional space-to-depth stem."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.networks.blocks import (
    ResBlock,
    SelfAttention,
    TimeEmbedding,
    conv,
    depth_to_space,
    groups,
    space_to_depth,
    zeroed,
)


@dataclass(frozen=True)
class UNetConfig:
    """Widths and depths of a U-Net.

    ``stem`` is the space-to-depth factor in front of the first convolution; ``encoder_blocks`` and
    ``decoder_blocks`` count residual blocks per level; ``labels`` is the number of plane labels (0:
    unconditional). ``attention`` names the levels (0: the finest) whose blocks are followed by attention, as
    is the middle where there is any; its heads have ``head_channels`` each.
    """

    dims: int
    in_channels: int
    out_channels: int
    channels: tuple[int, ...]
    encoder_blocks: tuple[int, ...]
    decoder_blocks: tuple[int, ...]
    middle_blocks: int = 1
    stem: int = 1
    convs_per_block: int = 2
    embedding: int = 256
    labels: int = 0
    inject_channels: tuple[int, ...] = ()
    checkpoint: bool = False
    alignment: str = "mlp"
    attention: tuple[int, ...] = ()
    head_channels: int = 64

    @property
    def multiple(self) -> int:
        """Every spatial axis must be divisible by this."""
        return int(self.stem * 2 ** (len(self.channels) - 1))


ALIGNMENTS = ("mlp", "convolution")


class Alignment(nn.Module):
    """From 2D features to the width of a 3D level, zero at the start.

    ``mlp`` is two layers per voxel (Score-Fusion, 3.3), ``convolution`` one 3 x 3 x 3 layer
    (Diff-Ensembler, 3.3).
    """

    def __init__(self, c_in: int, c_out: int, kind: str = "mlp") -> None:
        super().__init__()
        if kind not in ALIGNMENTS:
            raise SettingsError(f"alignment: found {kind!r}, accepted are {', '.join(ALIGNMENTS)}")
        if kind == "convolution":
            self.layers: nn.Module = zeroed(conv(3, c_in, c_out))
        else:
            self.layers = nn.Sequential(
                conv(3, c_in, c_out, kernel=1), nn.SiLU(), zeroed(conv(3, c_out, c_out, kernel=1))
            )

    def forward(self, features: Tensor) -> Tensor:
        """Return `(N, c_out, D, H, W)`."""
        return self.layers(features)  # type: ignore[no-any-return]


class UNet(nn.Module):
    """U-Net with time embedding; `forward` returns the output and the encoder features of every level."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        c, d = config.channels, config.dims
        self.config = config
        self.embed = TimeEmbedding(c[0], config.embedding, config.labels)
        cells = config.stem**d
        self.stem = conv(d, config.in_channels * cells, c[0])

        def block(c_in: int, c_out: int) -> ResBlock:
            return ResBlock(d, c_in, c_out, config.embedding, config.convs_per_block)

        self.encoder, self.down = nn.ModuleList(), nn.ModuleList()
        width = c[0]
        for level, (out, count) in enumerate(zip(c, config.encoder_blocks, strict=True)):
            self.encoder.append(nn.ModuleList(block(width if i == 0 else out, out) for i in range(count)))
            width = out
            if level < len(c) - 1:
                self.down.append(conv(d, out, out, stride=2))
        self.inject = nn.ModuleList(
            Alignment(a, b, config.alignment) for a, b in zip(config.inject_channels, c, strict=False)
        )
        self.middle = nn.ModuleList(block(width, width) for _ in range(config.middle_blocks))
        self.up, self.decoder = nn.ModuleList(), nn.ModuleList()
        for level, (out, count) in reversed(list(enumerate(zip(c, config.decoder_blocks, strict=True)))):
            self.decoder.append(
                nn.ModuleList(block(width + out if i == 0 else out, out) for i in range(count))
            )
            width = out
            if level > 0:
                self.up.append(conv(d, out, c[level - 1]))
                width = c[level - 1]
        places = {f"{side}{level}": c[level] for side in ("encoder", "decoder") for level in config.attention}
        places |= {"middle": c[-1]} if config.attention else {}
        self.attention = nn.ModuleDict(
            {place: SelfAttention(d, n, max(1, n // config.head_channels)) for place, n in places.items()}
        )
        self.norm = nn.GroupNorm(groups(c[0]), c[0])
        self.out = zeroed(conv(d, c[0], config.out_channels * cells))

    def forward(
        self, x: Tensor, t: Tensor, label: Tensor | None = None, injected: Sequence[Tensor] = ()
    ) -> tuple[Tensor, list[Tensor]]:
        """Return the output `(N, out_channels, *S)` and one feature tensor a level.

        Parameters
        ----------
        x : Tensor, shape (N, in_channels, *S)
        t : Tensor, shape (N,), in [0, 1]
        label : Tensor of int64, shape (N,), for networks with labels
        injected : per level, 2D features pooled to the 3D grid of that level, before alignment
        """
        embedding = self.embed(t, label)
        h = self.stem(space_to_depth(x, self.config.stem))
        features: list[Tensor] = []
        for level, blocks in enumerate(self.encoder):
            h = self._attend(f"encoder{level}", self._run(blocks, h, embedding))
            if level < len(self.inject):
                h = h + self.inject[level](injected[level])
            features.append(h)
            if level < len(self.down):
                h = self.down[level](h)
        h = self._attend("middle", self._run(self.middle, h, embedding))
        for i, blocks in enumerate(self.decoder):
            h = self._run(blocks, torch.cat([h, features[-1 - i]], dim=1), embedding)
            h = self._attend(f"decoder{len(features) - 1 - i}", h)
            if i < len(self.up):
                h = self.up[i](F.interpolate(h, scale_factor=2, mode="nearest"))
        return depth_to_space(self.out(F.silu(self.norm(h))), self.config.stem), features

    def _attend(self, place: str, h: Tensor) -> Tensor:
        return self.attention[place](h) if place in self.attention else h

    def _run(self, blocks: nn.Module, h: Tensor, embedding: Tensor) -> Tensor:
        for block in blocks.children():
            if self.config.checkpoint and self.training:
                h = torch.utils.checkpoint.checkpoint(block, h, embedding, use_reentrant=False)
            else:
                h = block(h, embedding)
        return h
