"""A constant tensor that follows its users to their device."""

from __future__ import annotations

import torch
from torch import Tensor


class Constant:
    """Keeps one copy a device and dtype, made when it is first asked for."""

    def __init__(self, value: Tensor) -> None:
        self.value = value
        self._copies: dict[tuple[torch.device, torch.dtype], Tensor] = {}

    def part(self, *index: slice | Tensor) -> Constant:
        """Return a part of the tensor, with those of the copies there are."""
        part = Constant(self.value[index])
        with torch.inference_mode(False):
            part._copies = {key: copy[index] for key, copy in self._copies.items()}
        return part

    def like(self, other: Tensor) -> Tensor:
        """Return the tensor on the device of ``other`` in its precision, complex if the constant is."""
        dtype = other.dtype.to_real() if other.is_complex() else other.dtype
        dtype = dtype if dtype == torch.float64 else torch.float32
        if self.value.is_complex():
            dtype = dtype.to_complex()
        key = other.device, dtype
        if key not in self._copies:
            with torch.inference_mode(False):  # inference tensors could not take part in a gradient
                self._copies[key] = self.value.to(*key)
        return self._copies[key]
