"""What the operators of CT and MRI know beyond `Operator`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, Self, runtime_checkable

from torch import Tensor

from napari_vol2vol.physics.operator import Operator

#: Slice numbers (int64), or a range of them.
SliceIndex = Tensor | slice


@runtime_checkable
class ImagingOperator(Operator, Protocol):
    """An `Operator` whose inverse problem falls into independent systems, as a rule one a slice.

    Images are real: `(..., D, H, W)`, or `(..., 2, D, H, W)` with real and imaginary part as channels where
    they are complex, so that denoisers, samplers and noise never meet a complex dtype. Measurements have
    their slices on axis -3 as well: sinograms `(..., D, views, bins)` are real, k-space `(..., D, H, W)` or
    `(..., coils, D, H, W)` is complex. The adjoint belongs to the real inner product ``Re <y, A x>``.
    """

    @property
    def system_axes(self) -> tuple[int, ...]:
        """The (negative) axes of an image that one linear system spans."""
        ...

    def normal(self, x: Tensor) -> Tensor:
        """Return ``A^T A x``, faster and in less memory than by the two."""
        ...

    def at_slices(self, index: SliceIndex) -> Self:
        """Return the operator from ``x[..., index, :, :]`` to ``y[..., index, :, :]``.

        Raises
        ------
        SettingsError
            Where the measurement mixes slices.
        """
        ...


def normal_map(operator: Operator) -> Callable[[Tensor], Tensor]:
    """Return ``A^T A`` of any operator, its own where it has one."""
    if isinstance(operator, ImagingOperator):
        return operator.normal
    return lambda x: operator.adjoint(operator(x))
