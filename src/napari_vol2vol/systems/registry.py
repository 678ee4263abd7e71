"""The systems by name. Importing this does not import torch."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from napari_vol2vol.errors import SettingsError

if TYPE_CHECKING:
    from napari_vol2vol.systems.assembly import Assembly, Context


DIFFUSION_SOLVERS = ("ddim", "ddpm", "dpmpp_2m")
BRIDGE_SOLVERS = ("i2sb-posterior", "i2sb-ode")
FLOW_SOLVERS = ("rk2", "euler", "midpoint", "rk3", "rk4", "adams")
#: What a request may name; ``auto`` is the first solver of its system.
SOLVERS = ("auto", *DIFFUSION_SOLVERS, *BRIDGE_SOLVERS, *FLOW_SOLVERS)


@dataclass(frozen=True)
class SystemInfo:
    """A system as users meet it; ``module`` holds its ``build(context) -> Assembly``.

    ``stochastic`` systems make different samples from different seeds; the others are run once, in one step.
    ``solvers`` are those that fit, the default first; ``seedless`` ones among them end alike for every seed,
    and are run for one sample.
    """

    name: str
    title: str
    module: str
    description: str
    needs_bundle: bool = True
    stochastic: bool = True
    default_steps: int = 12
    solvers: tuple[str, ...] = DIFFUSION_SOLVERS
    seedless: tuple[str, ...] = ()

    def solver(self, name: str) -> str:
        """Return the solver that a name stands for: ``auto`` is the first.

        Raises
        ------
        SettingsError
            If it does not fit the system, naming those that do.
        """
        if name == "auto":
            return self.solvers[0]
        if name not in self.solvers:
            raise SettingsError(
                f"solver: found {name!r}, system {self.name} accepts {', '.join(('auto', *self.solvers))}"
            )
        return name

    def build(self, context: Context) -> Assembly:
        """Assemble the system for one measurement."""
        assembly: Assembly = import_module(f"napari_vol2vol.systems.{self.module}").build(context)
        return assembly


_ALL = (
    SystemInfo("score-fusion", "Score-Fusion", "score_fusion", "a 3D network fuses two plane models (TPDM)"),
    SystemInfo(
        "score-fusion-tosm", "Score-Fusion over TOSM", "score_fusion", "a 3D network fuses three plane models"
    ),
    SystemInfo(
        "score-fusion-madm", "Score-Fusion over MADM", "score_fusion", "a 3D network fuses three 2.5D models"
    ),
    SystemInfo(
        "score-fusion-small", "Score-Fusion small", "score_fusion", "a smaller 3D network, no 2D features"
    ),
    SystemInfo(
        "diff-ensembler", "Diff-Ensembler", "score_fusion", "2D features aligned by one convolution layer"
    ),
    SystemInfo("tpdm", "TPDM", "tpdm", "two perpendicular plane diffusion models, averaged at every step"),
    SystemInfo("tosm", "TOSM", "tosm", "three perpendicular plane diffusion models, averaged at every step"),
    SystemInfo("madm", "MADM", "tosm", "three perpendicular 2.5D diffusion models, averaged at every step"),
    SystemInfo("palette", "Palette", "palette", "one plane diffusion model, slice by slice"),
    SystemInfo("palette-2.5d", "Palette 2.5D", "palette", "one plane, several consecutive slices at once"),
    SystemInfo("palette-3d", "Palette 3D", "palette_3d", "one fully 3D diffusion model (Med-DDPM)"),
    SystemInfo(
        "i2sb", "I2SB", "i2sb", "a Schroedinger bridge from the source, plane models averaged at every step",
        solvers=BRIDGE_SOLVERS, seedless=("i2sb-ode",),
    ),
    SystemInfo(
        "mfm", "Medical Flow Matching", "mfm", "a flow from one phase of CT to the other, axial slices",
        default_steps=1, solvers=FLOW_SOLVERS, seedless=FLOW_SOLVERS,
    ),
    SystemInfo(
        "mfm-planes", "Flow matching of planes", "mfm_planes", "flows of three planes, averaged at each call",
        default_steps=1, solvers=FLOW_SOLVERS, seedless=FLOW_SOLVERS,
    ),
    SystemInfo("unet", "U-Net regression", "regression", "2D, one call a plane: the mean", True, False, 1),
    SystemInfo("pix2pix", "Pix2pix", "regression", "2D, one call a plane: a conditional GAN", True, False, 1),
    SystemInfo("pix2pix-3d", "Pix2pix 3D", "regression", "one 3D call: a conditional GAN", True, False, 1),
    SystemInfo(
        "unet-3d", "3D U-Net regression", "unet_3d", "one network call: the mean, no samples", True, False, 1
    ),
    SystemInfo(
        "smooth-inverse", "Smooth inverse", "smooth_inverse",
        "smoothest volume that honours the measurement; no network", False, False, 1,
    ),
    SystemInfo("trilinear", "Trilinear", "trilinear", "plain interpolation, the baseline", False, False, 1),
    SystemInfo("identity", "Source unchanged", "trilinear", "the source, the baseline", False, False, 1),
)  # fmt: skip

SYSTEMS: dict[str, SystemInfo] = {info.name: info for info in _ALL}


def get_system(name: str) -> SystemInfo:
    """Return a system by name, or raise `SettingsError` naming those that exist."""
    if name not in SYSTEMS:
        raise SettingsError(f"system: found {name!r}, accepted are {', '.join(SYSTEMS)}")
    return SYSTEMS[name]
