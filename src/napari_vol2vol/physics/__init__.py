"""Linear measurements `y = A x`: every `Operator` has unit norm and an exact adjoint."""

from napari_vol2vol.physics.block_average import BlockAverage
from napari_vol2vol.physics.operator import Operator
from napari_vol2vol.physics.smooth_inverse import smooth_inverse

__all__ = ["BlockAverage", "Operator", "smooth_inverse"]
