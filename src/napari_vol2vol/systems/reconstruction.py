"""What the reconstructions share: the measurement and the prior in the space of the diffused variable.

A prior denoises ``z = m / scale`` (m: model space; scale: that of its training, or of the volume), so
``A z = y / scale``. Weights of the total variation are stated for m: ``1/2 |A m - y|^2 + w TV(m)`` is
``scale^2 (1/2 |A z - y_z|^2 + w / scale TV(z))``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn

from napari_vol2vol.bundles.weights import load_unet
from napari_vol2vol.errors import BundleError, VolumeError
from napari_vol2vol.networks.padded import Padded
from napari_vol2vol.physics.admm_tv import AdmmTV
from napari_vol2vol.physics.imaging_operator import ImagingOperator
from napari_vol2vol.physics.projector import Projector
from napari_vol2vol.sampling.adaptation import AdaptationSettings, adapting
from napari_vol2vol.sampling.branches import Diffused
from napari_vol2vol.sampling.corrections import (
    OfTime,
    Proximal,
    TotalVariationAlongZ,
    white_posterior_gamma,
)
from napari_vol2vol.sampling.dds_ddim import dds_ddim
from napari_vol2vol.sampling.gradients import Scaled, scaled
from napari_vol2vol.sampling.latent import make_latent
from napari_vol2vol.sampling.low_rank import LowRankWeights
from napari_vol2vol.sampling.measurement import Observed
from napari_vol2vol.sampling.samplers import SAMPLERS, Denoiser, Sampler
from napari_vol2vol.sampling.slice_prior import SlicePrior
from napari_vol2vol.sampling.warm_start import from_estimate
from napari_vol2vol.systems.assembly import Assembly, Context, diffused_of

#: gamma of `Proximal` in the code of the authors of DDIP, for noise that is not known.
GAMMA_CT, GAMMA_MRI = 0.0, 0.2
#: Last time of systems with a total variation along z, CT and MRI; tuned on `torso-arterial`, `colin27`.
END = (0.008, 0.01)
#: A reconstruction whose root mean square in model space is below this shows nothing but rounding.
NOTHING = 1e-6


@dataclass(frozen=True)
class TotalVariation:
    """Weight of the total variation, for CT and for MRI, and the penalty of ADMM over it."""

    ct: float
    mri: float
    penalty_ct: float
    penalty_mri: float


#: Tuned on slices of `torso-arterial` and `colin27`: in 3D, the same with nothing below 0, along z alone.
TV_3D = TotalVariation(1e-4, 6e-3, 150.0, 17.0)
TV_3D_NONNEGATIVE = TotalVariation(6e-5, 4e-4, 150.0, 17.0)
TV_ALONG_Z = TotalVariation(3e-4, 4e-3, 100.0, 50.0)


@dataclass(frozen=True)
class Problem:
    """One measurement and one prior, in the space of z; ``start()`` is the classical reconstruction there."""

    context: Context
    network: nn.Module
    prior: SlicePrior
    diffused: Diffused
    operator: ImagingOperator
    y: Scaled
    start: Callable[[], Tensor]
    sigma: float | None
    decode: Callable[[Tensor], Tensor]

    @property
    def options(self) -> Any:
        """The options of the system."""
        return self.context.options

    def proximal(self, steps: int | None = None) -> Proximal:
        """Return the conjugate gradients of DDS; ``steps`` in place of those asked for.

        Where gamma is left open it is that of a white prior and the noise of the measurement: without it
        the conjugate gradients go on until they fit the noise.
        """
        gamma = self._gamma(GAMMA_CT if self._is_ct else GAMMA_MRI)
        count = steps or self.options["cg_steps"]
        return Proximal(self.operator, self.y, gamma, count, slice_batch=self.context.slice_batch)

    def mbir(self, loss_steps: int | None = None) -> TotalVariationAlongZ:
        """Return the ADMM of DiffusionMBIR.

        Where gamma is left open there is none for CT: its few steps of CG hold noise back enough, and a pull
        costs 1 dB.
        """
        o = self.options
        weight, penalty = total_variation_of(self.context, TV_ALONG_Z)
        solver = AdmmTV(
            weight / self.diffused.scale, penalty, (-3,), o["admm_steps"], o["cg_steps"],
            nonnegative=is_nonnegative(self.context),
        )  # fmt: skip
        gamma = self._gamma(0.0, from_noise=not self._is_ct)
        return TotalVariationAlongZ(self.operator, self.y, solver, loss_steps, gamma)

    def _end(self) -> float:
        """Return the last time asked for; left open, that of `END`, but no later than the start."""
        asked: float | None = self.options["end"]
        return asked if asked is not None else min(END[0 if self._is_ct else 1], self.options["start"])

    @property
    def _is_ct(self) -> bool:
        return isinstance(self.operator, Projector)

    def _gamma(self, otherwise: float, *, from_noise: bool = True) -> OfTime:
        """Return the gamma asked for; left open, that of the noise where it is known, or ``otherwise``."""
        asked: OfTime | None = self.options["gamma"]
        if asked is not None:
            return asked
        if from_noise and self.sigma:
            return white_posterior_gamma(self.diffused.schedule, self.sigma)
        return otherwise

    def adaptation(self, iterations: int | None = None) -> AdaptationSettings:
        """Return the settings of the optimiser; ``iterations`` in place of those asked for."""
        o = self.options
        return AdaptationSettings(
            learning_rate=o["learning_rate"], iterations=iterations or o["iterations"],
            slices=o.get("slices", 1), horizon=o["horizon"], release=o["release"],
        )  # fmt: skip

    def low_rank(self) -> LowRankWeights:
        """Return the low-rank change of the network, not put in yet."""
        return LowRankWeights(self.network, rank=self.options["rank"], layers=self.options["layers"])

    def assembled(
        self,
        denoiser: Denoiser,
        weights: LowRankWeights | None = None,
        around: Callable[[Sampler], Sampler] = lambda sampler: sampler,
    ) -> Assembly:
        """Return the system that samples from the classical reconstruction with noise.

        ``weights`` are put in while it samples; ``around`` changes each sampler before.
        """
        own = {"dds-ddim": dds_ddim, "ddim": SAMPLERS["ddim"]}
        first, power = self.options["start"], self.options["spacing"]
        last = self._end()
        samplers = {
            name: around(from_estimate(sampler, self.start, t_start=first, t_end=last, power=power))
            for name, sampler in own.items()
        }
        if weights is not None:
            samplers = {name: adapting(sampler, weights) for name, sampler in samplers.items()}
        return Assembly(denoiser, self.diffused.schedule, self.decode, samplers)


def observed_of(context: Context) -> Observed:
    """Return what was measured, by an imaging operator.

    Raises
    ------
    VolumeError
        If the task has no imaging operator.
    """
    observed = context.measurement.observed
    if observed is None or not isinstance(observed.operator, ImagingOperator):
        raise VolumeError("measurement: found none, accepted is a sinogram or k-space")
    return observed


def total_variation_of(context: Context, tuned: TotalVariation) -> tuple[float, float]:
    """Return weight and penalty of the total variation: as asked for, else as ``tuned``."""
    is_ct = isinstance(observed_of(context).operator, Projector)
    weight, penalty = context.options["tv_weight"], context.options["tv_penalty"]
    weight = (tuned.ct if is_ct else tuned.mri) if weight is None else weight
    ratio = tuned.penalty_ct if is_ct else tuned.penalty_mri
    return weight, max(ratio * weight, 1e-7) if penalty is None else penalty


def is_nonnegative(context: Context) -> bool:
    """Whether the image is held to be no less than 0 in model space: where asked for, and it is real."""
    return context.options["nonnegative"] == "auto" and context.measurement.stored.ndim == 3


def problem_of(context: Context) -> Problem:
    """Put the prior of the bundle to work on the measurement.

    Raises
    ------
    BundleError
        If the bundle is no prior of images, or one of other channels than the measurement's image.
    """
    card, observed, plain = context.bundle(), observed_of(context), context.measurement.plain
    diffused = diffused_of(card)
    network = load_unet(card, context.device)
    channels, found = (1 if plain.ndim == 3 else plain.shape[0]), network.config.in_channels
    if diffused.what != "image" or found != channels or network.config.out_channels != channels:
        raise BundleError(
            f"bundle {card.name}: found a network of {found} channels for the {diffused.what}, accepted is a "
            f"prior of images with {channels}"
        )
    diffused = _brightened(diffused, plain, context.options["rms"])
    latent = make_latent("image", diffused.scale, {})
    prior = SlicePrior(
        Padded(network, network.config.multiple), diffused, channels,
        slice_batch=context.slice_batch, tick=context.tick, turning=context.options["turning"] == "random",
    )  # fmt: skip
    operator = observed.operator
    assert isinstance(operator, ImagingOperator)
    sigma = None if observed.sigma is None else observed.sigma / diffused.scale
    return Problem(
        context, network, prior, diffused, operator, scaled(observed.stored, 1 / diffused.scale),
        lambda: latent.encode(context.measurement.plain), sigma, latent.decode,
    )  # fmt: skip


def _brightened(diffused: Diffused, plain: Tensor, rms: float | None) -> Diffused:
    """Return what is diffused, scaled so that the classical reconstruction has this root mean square in z.

    Priors are trained on images of unit variance; one denoises best what is as bright. None leaves the scale
    of the prior's images, and so does a reconstruction of nothing.
    """
    found = float(plain.square().mean().sqrt())
    return diffused if rms is None or found < NOTHING else replace(diffused, scale=found / rms)


__all__ = [
    "TV_3D",
    "TV_3D_NONNEGATIVE",
    "Problem",
    "is_nonnegative",
    "observed_of",
    "problem_of",
    "total_variation_of",
]
