"""TimeResNet: the velocity network of Medical Flow Matching (figures 4, 5 and 11)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.networks.blocks import (
    SelfAttention,
    TimeEmbedding,
    conv,
    conv_of_depth,
    depth_to_space,
    groups,
    plus,
    times_plus,
    zeroed,
)

FAMILY = "time-resnet"


@dataclass(frozen=True)
class TimeResNetConfig:
    """Widths and depths of a TimeResNet.

    ``blocks`` counts residual blocks per encoder level, the decoder has one a level; ``middle`` counts the
    (block, attention) pairs of the bottleneck; ``stem`` is the space-to-depth factor in front.
    """

    dims: int = 2
    in_channels: int = 1
    out_channels: int = 1
    channels: tuple[int, ...] = (64, 128, 256, 512)
    blocks: tuple[int, ...] = (2, 2, 4, 4)
    middle: int = 2
    heads: int = 8
    stem: int = 1
    embedding: int = 256

    @property
    def multiple(self) -> int:
        """Every spatial axis must be divisible by this."""
        return int(self.stem * 2 ** (len(self.channels) - 1))

    @property
    def labels(self) -> int:
        """Number of plane labels: none, the paper's network sees axial slices alone."""
        return 0

    @property
    def inject_channels(self) -> tuple[int, ...]:
        """Widths of features of other networks: it takes none."""
        return ()


class TimeBlock(nn.Module):
    """Residual block; each SiLU's output h becomes ``A * h + B``, A and B linear in the time embedding."""

    def __init__(self, dims: int, c_in: int, c_out: int, embedding: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(groups(c_in), c_in), nn.GroupNorm(groups(c_out), c_out)
        self.conv1, self.conv2 = conv(dims, c_in, c_out), zeroed(conv(dims, c_out, c_out))
        self.scale_shift = nn.Linear(embedding, 2 * c_out)
        nn.init.zeros_(self.scale_shift.weight)
        with torch.no_grad():  # A = 1, B = 0: the block starts without time
            self.scale_shift.bias.copy_(torch.cat([torch.ones(c_out), torch.zeros(c_out)]))
        self.skip = conv(dims, c_in, c_out, kernel=1) if c_in != c_out else nn.Identity()

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """Return `(N, c_out, *S)`."""
        in_place = not torch.is_grad_enabled()  # saves a fifth of the time of a call; the values are the same
        h = self.conv1(F.silu(self.norm1(x), inplace=in_place))
        a, b = self.scale_shift(embedding).reshape(len(x), -1, *[1] * (x.ndim - 2)).chunk(2, dim=1)
        h = F.silu(self.norm2(h), inplace=in_place)
        h = times_plus(a, h, b)
        return plus(self.conv2(h), self.skip(x))


class SelfConvolutionAttention(SelfAttention):
    """Attention whose queries, keys and values are 3 x 3 convolutions (figure 5).

    Group normalisation stands in front, as the paper adds for stability.
    """

    def __init__(self, dims: int, channels: int, heads: int) -> None:
        super().__init__(dims, channels, heads, kernel=3)


class TimeResNet(nn.Module):
    """Residual encoder and decoder with skip connections, attention between the bottleneck blocks."""

    def __init__(self, config: TimeResNetConfig) -> None:
        super().__init__()
        d, c, e = config.dims, config.channels, config.embedding
        self.config = config
        cells = config.stem**d
        self.embed = TimeEmbedding(c[0], e)
        self.stem = conv(d, config.in_channels * cells, c[0])
        self.encoder, self.down = nn.ModuleList(), nn.ModuleList()
        for level, (width, count) in enumerate(zip(c, config.blocks, strict=True)):
            self.encoder.append(nn.ModuleList(TimeBlock(d, width, width, e) for _ in range(count)))
            if level + 1 < len(c):
                self.down.append(conv(d, width, c[level + 1], stride=2))
        self.middle = nn.ModuleList(TimeBlock(d, c[-1], c[-1], e) for _ in range(config.middle))
        self.attention = nn.ModuleList(
            SelfConvolutionAttention(d, c[-1], config.heads) for _ in range(config.middle)
        )
        self.up, self.decoder = nn.ModuleList(), nn.ModuleList()
        for level in range(len(c) - 2, -1, -1):
            self.up.append(conv(d, c[level + 1], c[level], kernel=1))
            self.decoder.append(TimeBlock(d, c[level], c[level], e))
        self.norm = nn.GroupNorm(groups(c[0]), c[0])
        self.out = zeroed(conv(d, c[0], config.out_channels * cells))

    def forward(self, x: Tensor, t: Tensor, label: Tensor | None = None) -> tuple[Tensor, list[Tensor]]:
        """Return the velocity `(N, out_channels, *S)` and one feature tensor an encoder level.

        Parameters
        ----------
        x : Tensor, shape (N, in_channels, *S)
        t : Tensor, shape (N,), in [0, 1]
        label : ignored; the planes share the network
        """
        del label
        embedding = self.embed(t)
        h = conv_of_depth(self.stem, x, self.config.stem)
        features: list[Tensor] = []
        for level, blocks in enumerate(self.encoder):
            for block in blocks:  # type: ignore[attr-defined]
                h = block(h, embedding)
            features.append(h)
            if level < len(self.down):
                h = self.down[level](h)
        for block, attention in zip(self.middle, self.attention, strict=True):
            h = attention(block(h, embedding))
        for up, block, skip in zip(self.up, self.decoder, features[-2::-1], strict=True):
            h = block(plus(F.interpolate(up(h), scale_factor=2, mode="nearest"), skip), embedding)
        h = F.silu(self.norm(h), inplace=not torch.is_grad_enabled())
        return depth_to_space(self.out(h), self.config.stem), features


def time_resnet(preset: str, in_channels: int = 1) -> TimeResNetConfig:
    """Return the network of a preset: ``paper`` has about 125 M parameters, ``compact`` suits a CPU."""
    if preset == "paper":
        return TimeResNetConfig(2, in_channels, 1, (96, 192, 384, 768), (2, 2, 3, 4), middle=2, heads=8)
    if preset == "compact":
        return TimeResNetConfig(2, in_channels, 1, (48, 64, 96, 128), (1, 1, 1, 1), middle=1, heads=4, stem=2)
    raise SettingsError(f"TimeResNet preset: found {preset!r}, accepted are paper, compact")
