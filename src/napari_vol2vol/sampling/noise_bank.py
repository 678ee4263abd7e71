"""Seeded noise that does not depend on device, batch size or the order of the samples."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class NoiseBank:
    """Standard normal noise keyed by (seed, sample, step), always drawn on the CPU in float32.

    ``step`` 0 is the initial noise x_T; step i is the fresh noise of the i-th sampler step.
    """

    seed: int
    sample: int = 0

    def draw(self, step: int, shape: tuple[int, ...], device: torch.device | str = "cpu") -> Tensor:
        """Return noise of ``shape`` for a step, moved to ``device``."""
        key = hashlib.sha256(f"{self.seed}/{self.sample}/{step}".encode()).digest()
        generator = torch.Generator("cpu").manual_seed(int.from_bytes(key[:8], "little") >> 1)
        return torch.randn(shape, generator=generator, dtype=torch.float32).to(device)
