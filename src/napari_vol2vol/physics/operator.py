"""The contract of a linear measurement."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import Tensor


@runtime_checkable
class Operator(Protocol):
    """A linear map ``A`` of unit norm from volumes `(..., D, H, W)` to measurements, with its exact adjoint.

    ``pseudo_inverse`` returns the minimum-norm ``x`` with ``A x`` closest to ``y``.
    """

    def __call__(self, x: Tensor) -> Tensor:
        """Return ``A x``."""
        ...

    def adjoint(self, y: Tensor) -> Tensor:
        """Return ``A^T y``: ``<A x, y> = <x, A^T y>`` up to rounding."""
        ...

    def pseudo_inverse(self, y: Tensor) -> Tensor:
        """Return ``A^+ y``."""
        ...
