"""The systems by name. Importing this does not import torch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.options import Option
from napari_vol2vol.systems import gaussian_options
from napari_vol2vol.systems import reconstruction_options as recon
from napari_vol2vol.systems import zero_shot_options as zero_shot
from napari_vol2vol.systems.flow_options import GRAIN

if TYPE_CHECKING:
    from napari_vol2vol.bundles.card import BundleCard
    from napari_vol2vol.systems.assembly import Assembly, Context


DIFFUSION_SOLVERS = ("ddim", "ddpm", "dpmpp_2m")
BRIDGE_SOLVERS = ("i2sb-posterior", "i2sb-ode")
#: Euler comes first: the shipped flow's second call, at the result, still misses contrast medium there.
FLOW_SOLVERS = ("rk2", "euler", "midpoint", "rk3", "rk4", "adams")
#: ``dds-ddim`` has its noise from the estimate before the correction by the measurement.
RECONSTRUCTION_SOLVERS = ("dds-ddim", "ddim")
#: Those of a variance-exploding process; the others serve it too, and need fewer steps.
VE_SOLVERS = ("euler-maruyama", "predictor-corrector")
#: What a request may name; ``auto`` is the first solver of its system.
SOLVERS = (
    "auto", *DIFFUSION_SOLVERS, *BRIDGE_SOLVERS, *FLOW_SOLVERS, RECONSTRUCTION_SOLVERS[0], *VE_SOLVERS,
)  # fmt: skip


@dataclass(frozen=True)
class SystemInfo:
    """A system as users meet it; ``module`` holds its ``build(context) -> Assembly``.

    ``stochastic`` systems make different samples from different seeds; the others are run once, in one step.
    ``solvers`` are those that fit, the default first; ``seedless`` ones among them end alike for every seed,
    and are run for one sample. ``options`` are settings of this system alone, ``eta`` its default of
    `Translation`. A run takes the steps asked for ``rounds`` times. ``twin`` is the same system with a prior
    that does not adapt. ``own_steps``: its default steps are those of its paper, whatever its bundle says.
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
    options: tuple[Option, ...] = ()
    eta: float = 0.0
    rounds: int = 1
    twin: str | None = None
    own_steps: bool = False

    def steps(self, card: BundleCard | None) -> int:
        """Return the default number of steps with a bundle."""
        return self.default_steps if card is None or self.own_steps else card.default_steps

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


def _fixed(name: str, title: str, description: str, options: tuple[Option, ...]) -> SystemInfo:
    """Return a reconstruction with a fixed prior, with the sampling of DDIP."""
    return SystemInfo(
        name, title, name.replace("-", "_"), description, default_steps=50, solvers=RECONSTRUCTION_SOLVERS,
        options=options, eta=0.85, own_steps=True,
    )  # fmt: skip


def _adapted(
    name: str, title: str, description: str, twin: str, options: tuple[Option, ...], rounds: int = 1
) -> SystemInfo:
    """Return a reconstruction whose prior adapts to the measurement."""
    fixed = _fixed(name, title, description, (*options, recon.COMPARE))
    return replace(fixed, twin=twin, rounds=rounds)


def _zero_shot(name: str, title: str, description: str, options: tuple[Option, ...]) -> SystemInfo:
    """Return a system whose model knows the target alone, whatever the source is."""
    return SystemInfo(
        name, title, name.replace("-", "_"), f"zero-shot: {description}", default_steps=30,
        solvers=(*DIFFUSION_SOLVERS, *VE_SOLVERS), options=options,
    )  # fmt: skip


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
    _zero_shot("midiffusion", "MIDiffusion", "the model has never seen this modality, mutual information "
               "guides it", zero_shot.MIDIFFUSION),
    _zero_shot("sdedit-planes", "SDEdit of planes", "the model has never seen this modality, the source with "
               "noise is where it starts; three planes", zero_shot.SDEDIT),
    _zero_shot("sdedit", "SDEdit", "the model has never seen this modality, the source with noise is where "
               "it starts; one plane", zero_shot.SDEDIT),
    SystemInfo(
        "mfm", "Medical Flow Matching", "mfm", "a flow from one phase of CT to the other, axial slices",
        default_steps=1, solvers=FLOW_SOLVERS, seedless=FLOW_SOLVERS, options=(GRAIN,),
    ),
    SystemInfo(
        "mfm-planes", "Flow matching of planes", "mfm_planes", "flows of three planes, averaged at each call",
        default_steps=1, solvers=FLOW_SOLVERS, seedless=FLOW_SOLVERS, options=(GRAIN,),
    ),
    SystemInfo(
        "mfm-fusion", "Fused flow matching", "mfm_fusion", "flows of three planes, weighed by a 3D network",
        default_steps=1, solvers=FLOW_SOLVERS, seedless=FLOW_SOLVERS, options=(GRAIN,),
    ),
    SystemInfo(
        "ct-regression", "CT regression", "ct_regression", "one call a slice: the mean; the flow's networks",
        True, False, 1, options=(GRAIN,),
    ),
    SystemInfo(
        "ddpm-ct", "DDPM of CT", "ddpm_ct", "conditional diffusion, axial, one noise for every slice",
        default_steps=50,
    ),
    SystemInfo("unet", "U-Net regression", "regression", "2D, one call a plane: the mean", True, False, 1),
    SystemInfo("pix2pix", "Pix2pix", "regression", "2D, one call a plane: a conditional GAN", True, False, 1),
    SystemInfo("cyclegan", "CycleGAN", "regression", "2D, one call a plane: few-shot", True, False, 1),
    SystemInfo("pix2pix-3d", "Pix2pix 3D", "regression", "one 3D call: a conditional GAN", True, False, 1),
    SystemInfo(
        "unet-3d", "3D U-Net regression", "unet_3d", "one network call: the mean, no samples", True, False, 1
    ),
    SystemInfo(
        "gaussian", "Gaussian model", "gaussian", "for lessons: a Gaussian field, exact; no network",
        False, default_steps=20, options=gaussian_options.GAUSSIAN,
    ),
    SystemInfo(
        "smooth-inverse", "Smooth inverse", "smooth_inverse",
        "smoothest volume that honours the measurement; no network", False, False, 1,
    ),
    SystemInfo("trilinear", "Trilinear", "trilinear", "plain interpolation, the baseline", False, False, 1),
    SystemInfo("fbp", "Filtered back-projection", "fbp", "the classical reconstruction of CT", False, False,
               1, options=recon.FBP),
    SystemInfo("zero-filled", "Zero-filled", "zero_filled", "k-space with zeros where nothing was sampled",
               False, False, 1),
    SystemInfo("sense-cg", "SENSE by CG", "sense_cg", "least squares from k-space of all coils", False, False,
               1, options=recon.SENSE),
    SystemInfo("admm-tv", "ADMM-TV", "admm_tv", "least total variation in 3D that fits the measurement",
               False, False, 1, options=recon.ADMM_TV),
    _fixed("ddnm", "DDNM", "fixed prior; what was measured replaces its estimate", recon.DDNM),
    SystemInfo("dps", "DPS", "dps", "fixed prior; pulled by the gradient of the residual", default_steps=1000,
               solvers=("ddpm", "ddim", "dpmpp_2m"), eta=1.0, own_steps=True, options=recon.DPS),
    _fixed("dds", "DDS", "fixed prior; conjugate gradients from its estimate", recon.DDS),
    _fixed("diffusion-mbir", "DiffusionMBIR", "fixed prior; total variation along z", recon.MBIR),
    _adapted("scd", "SCD", "adapts to each slice, by one step of CG", "dds", recon.SCD),
    _adapted("ddip", "DDIP", "adapts to each slice, by the CG of its sampling", "dds", recon.DDIP),
    _adapted("d3ip", "D3IP", "adapts to the volume, from a few slices a step", "dds", recon.D3IP),
    _adapted("d3ip-mbir", "D3IP with MBIR", "adapts to the volume, with total variation along z",
             "diffusion-mbir", recon.D3IP_MBIR),
    _adapted("d3ip-meta", "D3IP meta", "adapts to the volume, then to each slice", "dds", recon.D3IP_META,
             rounds=2),
    SystemInfo("identity", "Source unchanged", "trilinear", "the source, the baseline", False, False, 1),
)  # fmt: skip

SYSTEMS: dict[str, SystemInfo] = {info.name: info for info in _ALL}


def get_system(name: str) -> SystemInfo:
    """Return a system by name, or raise `SettingsError` naming those that exist."""
    if name not in SYSTEMS:
        raise SettingsError(f"system: found {name!r}, accepted are {', '.join(SYSTEMS)}")
    return SYSTEMS[name]
