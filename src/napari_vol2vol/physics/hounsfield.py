"""Between Hounsfield units and linear attenuation."""

from __future__ import annotations

from typing import TypeVar

from numpy.typing import NDArray
from torch import Tensor

from napari_vol2vol.errors import SettingsError

#: Linear attenuation of water at 70 keV in 1/mm (NIST XCOM: 0.1929 cm²/g at 1 g/cm³), about the mean energy
#: of a scan at 120 kV.
WATER_PER_MM = 0.01929
#: Hounsfield units of vacuum, the least there can be.
VACUUM_HU = -1000.0

Array = TypeVar("Array", NDArray, Tensor, float)  # type: ignore[type-arg]


def to_attenuation(hounsfield: Array, water_per_mm: float = WATER_PER_MM) -> Array:
    """Return the attenuation in 1/mm, ``water (1 + HU / 1000)``; vacuum is 0 and water is ``water_per_mm``.

    Values below `VACUUM_HU` (the padding of scanners) become negative: clip them first where they must not.
    """
    _check(water_per_mm)
    return (hounsfield + 1000.0) * (water_per_mm / 1000.0)


def to_hounsfield(attenuation: Array, water_per_mm: float = WATER_PER_MM) -> Array:
    """Invert `to_attenuation`: ``1000 (attenuation - water) / water``."""
    _check(water_per_mm)
    return attenuation * (1000.0 / water_per_mm) - 1000.0


def _check(water_per_mm: float) -> None:
    if not water_per_mm > 0:
        raise SettingsError(f"water_per_mm: found {water_per_mm}, accepted are attenuations above 0 per mm")
