"""What all CT geometries share: a sparse system matrix, its transpose, and the way back by CG."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.physics.conjugate_gradient import SLICE, conjugate_gradient
from napari_vol2vol.physics.footprints import FloatArray, Footprints, system_matrix
from napari_vol2vol.physics.imaging_operator import SliceIndex
from napari_vol2vol.physics.linear_map import linear_map
from napari_vol2vol.physics.norm import largest_eigenvalue

#: Slices a sparse product: beyond, the columns fall out of the cache (measured on 256 x 256, 60 views:
#: 203 ms for 64 columns at once, 69 ms for twice 32).
COLUMNS = 32


@dataclass(frozen=True)
class Projector(ABC):
    """X-ray projection of slices `(..., D, H, W)` to sinograms `(..., D, views, bins)`, scaled to unit norm.

    All lengths are in pixels, which are square; the axis of rotation is the middle of the image. Detector
    bins measure the mean line integral over their width. ``A x = gain * (line integrals of x)``.

    Parameters
    ----------
    shape : (H, W)
    angles_deg : tuple of float
        One a view.
    bins : int, optional
        Detector bins; by default so many that no pixel is cut off.
    spacing : float
        Width of a bin in pixels (at the axis of rotation).
    cg_steps, cg_tolerance
        When `pseudo_inverse` ends.

    Raises
    ------
    SettingsError
        If there is no view, or a size is not positive; on use, if the image has another shape.
    """

    shape: tuple[int, int]
    angles_deg: tuple[float, ...]
    bins: int = 0
    spacing: float = 1.0
    cg_steps: int = 50
    cg_tolerance: float = 1e-4
    _on_device: dict[tuple[torch.device, torch.dtype], tuple[Tensor, Tensor]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        if len(self.shape) != 2 or min(self.shape) < 1:
            raise SettingsError(f"shape: found {self.shape}, accepted are two sizes (H, W) of 1 or more")
        if not self.angles_deg or not np.isfinite(self.angles_deg).all():
            raise SettingsError(f"angles_deg: found {self.angles_deg}, accepted are one or more angles")
        if not self.spacing > 0:
            raise SettingsError(f"spacing: found {self.spacing}, accepted are widths above 0 pixels")
        if self.bins == 0:
            object.__setattr__(self, "bins", int(np.ceil(2 * self.reach / self.spacing)))
        if self.bins < 1:
            raise SettingsError(
                f"bins: found {self.bins}, accepted are 1 or more, or 0 for all that are needed"
            )

    @property
    @abstractmethod
    def reach(self) -> float:
        """How far from the middle of the detector the shadow of the image reaches, in pixels."""

    @abstractmethod
    def footprints(self, angle: float) -> Footprints:
        """Return the shadows of all pixels, row by row, in the view at ``angle`` (radians)."""

    @abstractmethod
    def traces(self, angle: float) -> tuple[FloatArray, FloatArray]:
        """Return for all pixels where they fall in the view, in bins, and their weight in back-projection."""

    @property
    @abstractmethod
    def ray_weights(self) -> FloatArray:
        """The weight of each bin (bins,) before the ramp filter."""

    @property
    @abstractmethod
    def view_weights(self) -> FloatArray:
        """The weight of each view (views,) in back-projection: radians that it stands for."""

    @property
    def system_axes(self) -> tuple[int, ...]:
        """Each slice is a system of its own."""
        return SLICE

    @property
    def views(self) -> int:
        """Number of views."""
        return len(self.angles_deg)

    def pixel_centres(self) -> tuple[FloatArray, FloatArray]:
        """Return x to the right and y up, from the axis of rotation, for all pixels row by row."""
        height, width = self.shape
        y, x = np.meshgrid(
            (height - 1) / 2 - np.arange(height), np.arange(width) - (width - 1) / 2, indexing="ij"
        )
        return x.ravel(), y.ravel()

    @property
    def gain(self) -> float:
        """``A x`` divided by the line integrals of x: one over their norm."""
        return self._system[0]

    @cached_property
    def _system(self) -> tuple[float, Any]:
        """The gain, and A as a CSR matrix (views * bins, H * W) in float32."""
        each: Iterator[Footprints] = (self.footprints(a) for a in np.deg2rad(self.angles_deg))
        matrix = system_matrix(each, self.bins, self.shape[0] * self.shape[1])

        def normal(x: Tensor) -> Tensor:
            return torch.from_numpy(matrix.T @ (matrix @ x.numpy().ravel())).reshape(x.shape)

        largest = largest_eigenvalue(normal, self.shape, axes=SLICE)
        if not largest > 0:
            raise SettingsError("bins: found a detector that no ray through the image reaches")
        gain = float(largest**-0.5)
        return gain, (matrix * gain).astype(np.float32)

    def __call__(self, x: Tensor) -> Tensor:
        """Return ``A x`` `(..., D, views, bins)`, differentiably."""
        return linear_map(x, self._forward, self._backward)

    def adjoint(self, y: Tensor) -> Tensor:
        """Return ``A^T y`` `(..., D, H, W)`, the exact transpose, differentiably."""
        return linear_map(y, self._backward, self._forward)

    def pseudo_inverse(self, y: Tensor) -> Tensor:
        """Return ``A^+ y`` by conjugate gradients from zero, as far as ``cg_steps`` and tolerance go."""
        b = self.adjoint(y)
        return conjugate_gradient(
            self.normal, b, torch.zeros_like(b),
            steps=self.cg_steps, tolerance=self.cg_tolerance, axes=SLICE,
        )  # fmt: skip

    def normal(self, x: Tensor) -> Tensor:
        """Return ``A^T A x``, differentiably, with the sinograms of a few slices at a time."""
        return linear_map(x, self._normal, self._normal)

    def at_slices(self, index: SliceIndex) -> Self:
        """Return the operator of some of the slices: itself, as every slice is projected alike."""
        del index
        return self

    def _forward(self, x: Tensor) -> Tensor:
        self._check(x)
        return _columns(self._matrices(x)[:1], x, (self.views, self.bins))

    def _normal(self, x: Tensor) -> Tensor:
        self._check(x)
        return _columns(self._matrices(x), x, self.shape)

    def _check(self, x: Tensor) -> None:
        if tuple(x.shape[-2:]) != self.shape:
            raise SettingsError(
                f"image: found slices of {tuple(x.shape[-2:])} pixels, accepted is {self.shape}"
            )

    def _backward(self, y: Tensor) -> Tensor:
        if tuple(y.shape[-2:]) != (self.views, self.bins):
            raise SettingsError(
                f"sinogram: found {tuple(y.shape[-2:])}, accepted is {(self.views, self.bins)} (views, bins)"
            )
        return _columns(self._matrices(y)[1:], y, self.shape)

    def _matrices(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """Return A and its transpose as CSR on the device and in the precision of ``like``."""
        dtype = like.dtype if like.dtype == torch.float64 else torch.float32
        key = like.device, dtype
        if key not in self._on_device:
            matrix = self._system[1]
            with torch.inference_mode(False):  # inference tensors could not take part in a gradient
                forward, transpose = _as_torch(matrix, dtype), _as_torch(matrix.T.tocsr(), dtype)
                self._on_device[key] = forward.to(like.device), transpose.to(like.device)
        return self._on_device[key]


def _as_torch(matrix: Any, dtype: torch.dtype) -> Tensor:
    rows, columns = (
        torch.from_numpy(a.astype(np.int32, copy=False)) for a in (matrix.indptr, matrix.indices)
    )
    values = torch.from_numpy(matrix.data).to(dtype)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse (CSR|invariant)", UserWarning)  # that CSR is in beta
        return torch.sparse_csr_tensor(rows, columns, values, size=matrix.shape)


def _columns(matrices: Sequence[Tensor], x: Tensor, shape: tuple[int, int]) -> Tensor:
    """Apply sparse matrices in turn to images `(..., h, w)`, a block of them as columns at a time."""
    flat = x.reshape(-1, x.shape[-2] * x.shape[-1]).to(matrices[0].dtype)
    out = flat.new_empty(len(flat), matrices[-1].shape[0])
    for start in range(0, len(flat), COLUMNS):
        block = flat[start : start + COLUMNS].t().contiguous()
        for matrix in matrices:
            block = matrix @ block
        out[start : start + COLUMNS] = block.t()
    return out.reshape(*x.shape[:-2], *shape)
