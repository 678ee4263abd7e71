"""The systems by name. Importing this does not import torch."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from napari_vol2vol.errors import SettingsError

if TYPE_CHECKING:
    from napari_vol2vol.systems.assembly import Assembly, Context


@dataclass(frozen=True)
class SystemInfo:
    """A system as users meet it; ``module`` holds its ``build(context) -> Assembly``.

    ``stochastic`` systems make different samples from different seeds; the others are run once, in one step.
    """

    name: str
    title: str
    module: str
    description: str
    needs_bundle: bool = True
    stochastic: bool = True
    default_steps: int = 12

    def build(self, context: Context) -> Assembly:
        """Assemble the system for one measurement."""
        assembly: Assembly = import_module(f"napari_vol2vol.systems.{self.module}").build(context)
        return assembly


SYSTEMS: dict[str, SystemInfo] = {
    info.name: info
    for info in (
        SystemInfo(
            "score-fusion", "Score-Fusion", "score_fusion", "a 3D network fuses two plane diffusion models"
        ),
        SystemInfo(
            "tpdm", "TPDM", "tpdm", "two perpendicular plane diffusion models, averaged at every step"
        ),
        SystemInfo("palette", "Palette", "palette", "one plane diffusion model, slice by slice"),
        SystemInfo(
            "unet-3d",
            "3D U-Net regression",
            "unet_3d",
            "one network call: the mean, no samples",
            True,
            False,
            1,
        ),
        SystemInfo(
            "smooth-inverse",
            "Smooth inverse",
            "smooth_inverse",
            "smoothest volume that honours the measurement; no network",
            False,
            False,
            1,
        ),
        SystemInfo(
            "trilinear", "Trilinear", "trilinear", "plain interpolation, the baseline", False, False, 1
        ),
    )
}


def get_system(name: str) -> SystemInfo:
    """Return a system by name, or raise `SettingsError` naming those that exist."""
    if name not in SYSTEMS:
        raise SettingsError(f"system: found {name!r}, accepted are {', '.join(SYSTEMS)}")
    return SYSTEMS[name]
