"""Building blocks shared by the 2D and 3D U-Nets; ``dims`` is 2 or 3 throughout."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_vol2vol.errors import SettingsError

Network = TypeVar("Network", bound=nn.Module)


def channels_last(network: Network, dims: int) -> Network:
    """Return the network with the weights of its convolutions in channels-last memory (``dims`` 2 or 3)."""
    memory = torch.channels_last if dims == 2 else torch.channels_last_3d
    return network.to(memory_format=memory)  # type: ignore[call-overload,no-any-return]


def conv(dims: int, c_in: int, c_out: int, kernel: int = 3, stride: int = 1) -> nn.Module:
    """Return a same-padded convolution in ``dims`` dimensions."""
    layer = nn.Conv2d if dims == 2 else nn.Conv3d
    return layer(c_in, c_out, kernel, stride=stride, padding=kernel // 2)


def zeroed(module: nn.Module) -> nn.Module:
    """Set all parameters of a module to zero and return it."""
    for parameter in module.parameters():
        nn.init.zeros_(parameter)
    return module


def plus(own: Tensor, other: Tensor) -> Tensor:
    """Return the sum; where no gradient is asked for it overwrites ``own``."""
    if torch.is_grad_enabled() or own.dtype != other.dtype:
        return own + other
    return own.add_(other)


def times_plus(a: Tensor, h: Tensor, b: Tensor) -> Tensor:
    """Return ``a * h + b`` for ``a``, ``b`` `(N, C, 1, ...)`; where no gradient is asked for it overwrites h.

    In bfloat16 PyTorch broadcasts along the channels of a channels-last image by single numbers; several
    pixels taken together are a row long enough for its vectors, four times as fast. The values are the same.
    """
    if torch.is_grad_enabled():
        return torch.addcmul(b, a, h)
    if h.ndim != 4 or not h.is_contiguous(memory_format=torch.channels_last):
        return torch.addcmul(b, a, h, out=h)
    n, c, height, width = h.shape
    together = math.gcd(height * width, 16)
    rows = h.permute(0, 2, 3, 1).view(n, height * width // together, together * c)
    a, b = (part.reshape(n, 1, c).repeat(1, 1, together) for part in (a, b))
    torch.addcmul(b, a, rows, out=rows)
    return h


def groups(channels: int) -> int:
    """Return the number of normalisation groups: 16 channels a group where they divide."""
    return math.gcd(channels, max(1, channels // 16))


def space_to_depth(x: Tensor, factor: int) -> Tensor:
    """Move blocks of pixels into channels: `(N, C, *S)` to `(N, C * factor^dims, *S / factor)`."""
    if factor == 1:
        return x
    if x.ndim == 4:
        return F.pixel_unshuffle(x, factor)
    n, c, d, h, w = x.shape
    x = x.reshape(n, c, d // factor, factor, h // factor, factor, w // factor, factor)
    return x.permute(0, 1, 3, 5, 7, 2, 4, 6).reshape(n, c * factor**3, d // factor, h // factor, w // factor)


def conv_of_depth(layer: nn.Module, x: Tensor, factor: int) -> Tensor:
    """Return ``layer(space_to_depth(x, factor))`` of a same-padded convolution, for images in one step.

    It is a convolution of the pixels themselves, ``factor`` times as wide and with stride ``factor``; where
    gradients are asked for it goes step by step.
    """
    if factor == 1 or not isinstance(layer, nn.Conv2d) or torch.is_grad_enabled():
        return layer(space_to_depth(x, factor))  # type: ignore[no-any-return]
    c_out, cells, k, _ = layer.weight.shape
    split = layer.weight.reshape(c_out, cells // factor**2, factor, factor, k, k)
    weight = split.permute(0, 1, 4, 2, 5, 3).reshape(c_out, -1, k * factor, k * factor)
    return F.conv2d(x, weight, layer.bias, stride=factor, padding=k // 2 * factor)


def depth_to_space(x: Tensor, factor: int) -> Tensor:
    """Invert `space_to_depth`."""
    if factor == 1:
        return x
    if x.ndim == 4:
        return F.pixel_shuffle(x, factor)
    n, c, d, h, w = x.shape
    out = c // factor**3
    x = x.reshape(n, out, factor, factor, factor, d, h, w).permute(0, 1, 5, 2, 6, 3, 7, 4)
    return x.reshape(n, out, d * factor, h * factor, w * factor)


class TimeEmbedding(nn.Module):
    """Sinusoidal embedding of ``t`` in [0, 1] (scaled by 1000 as in DDPM) through a two-layer MLP.

    An optional label (the anatomical plane) is added, so that one network can serve several planes.
    """

    def __init__(self, base: int, width: int, labels: int = 0) -> None:
        super().__init__()
        self.base = base
        self.mlp = nn.Sequential(nn.Linear(base, width), nn.SiLU(), nn.Linear(width, width))
        self.label = nn.Embedding(labels, width) if labels else None

    def forward(self, t: Tensor, label: Tensor | None = None) -> Tensor:
        """Return `(N, width)` for ``t`` `(N,)` and, where the network has labels, ``label`` `(N,)`."""
        half = self.base // 2
        rates = torch.exp(
            -math.log(10_000.0) * torch.arange(half, device=t.device, dtype=torch.float32) / half
        )
        angles = 1000.0 * t.float()[:, None] * rates[None]
        sinusoid = torch.cat([angles.sin(), angles.cos()], dim=1)
        embedding: Tensor = self.mlp(sinusoid.to(next(self.mlp.parameters()).dtype))
        if self.label is not None:
            if label is None:
                raise ValueError("this network is conditioned on a plane: label is missing")
            embedding = embedding + self.label(label)
        return embedding


class ResBlock(nn.Module):
    """Residual block: ``convs`` times (norm, SiLU, convolution), time scale and shift after the first."""

    def __init__(self, dims: int, c_in: int, c_out: int, embedding: int, convs: int = 2) -> None:
        super().__init__()
        widths = [c_in] + [c_out] * convs
        self.norms = nn.ModuleList(nn.GroupNorm(groups(c), c) for c in widths[:-1])
        self.convs = nn.ModuleList(conv(dims, a, b) for a, b in pairwise(widths))
        zeroed(self.convs[-1])
        self.affine = nn.Linear(embedding, 2 * c_out)
        self.skip = conv(dims, c_in, c_out, kernel=1) if c_in != c_out else nn.Identity()

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """Return a tensor of shape `(N, c_out, *S)`."""
        in_place = not torch.is_grad_enabled()  # saves a tenth of the time of a call; the values are the same
        h = self.convs[0](F.silu(self.norms[0](x), inplace=in_place))
        shape = (x.shape[0], -1) + (1,) * (x.ndim - 2)
        scale, shift = self.affine(F.silu(embedding)).reshape(shape).chunk(2, dim=1)
        h = torch.addcmul(h + shift, h, scale)
        for norm, layer in zip(self.norms[1:], self.convs[1:], strict=True):
            h = layer(F.silu(norm(h), inplace=in_place))
        return plus(h, self.skip(x))


class SelfAttention(nn.Module):
    """Attention over all positions, with group normalisation in front; zero at the start, so the identity.

    Queries, keys and values are convolutions of ``kernel`` (1: as in ADM, Dhariwal and Nichol 2021).

    Raises
    ------
    SettingsError
        If the heads do not divide the channels.
    """

    def __init__(self, dims: int, channels: int, heads: int, kernel: int = 1) -> None:
        super().__init__()
        if channels % heads:
            raise SettingsError(f"heads: found {heads}, accepted are divisors of {channels} channels")
        self.heads = heads
        self.norm = nn.GroupNorm(groups(channels), channels)
        self.qkv = conv(dims, channels, 3 * channels, kernel)
        self.out = zeroed(conv(dims, channels, channels, kernel))

    def forward(self, x: Tensor) -> Tensor:
        """Return a tensor of shape `(N, C, *S)`."""
        n, c, *size = x.shape
        qkv = self.qkv(self.norm(x)).reshape(n, 3, self.heads, c // self.heads, -1)
        # strided ones take twice the time on a CPU
        q, k, v = (part.transpose(-1, -2).contiguous() for part in qkv.unbind(1))
        mixed = F.scaled_dot_product_attention(q, k, v)
        return plus(self.out(mixed.transpose(-1, -2).reshape(n, c, *size)), x)
