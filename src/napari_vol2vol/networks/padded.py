"""Slices of any size for a network that asks for sizes it can divide."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F


class Padded(nn.Module):
    """A 2D network on slices of any size: edges are replicated to what it can divide, and cut off again."""

    def __init__(self, network: nn.Module, multiple: int) -> None:
        super().__init__()
        self.network, self.multiple = network, multiple

    def forward(self, x: Tensor, *more: Any) -> tuple[Tensor, Any]:
        """Return the output `(N, C, H, W)` and the features of the padded slices."""
        height, width = x.shape[-2:]
        down, right = -height % self.multiple, -width % self.multiple
        if down or right:
            x = F.pad(x, (0, right, 0, down), mode="replicate")
        output, features = self.network(x, *more)
        return output[..., :height, :width], features


__all__ = ["Padded"]
