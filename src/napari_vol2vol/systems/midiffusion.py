"""MIDiffusion (Wang et al. 2023): a model of the target alone, told where the source says something of x_t.

At every step and for every slice the condition is ``LMI(G; G, x_t)`` (algorithm 1), so a source of any
modality will do: none was seen in training. The paper is 2D; with one plane (``Translation.plane``) this is
its system, slice by slice. By default the planes of the bundle are averaged in x̂0 space on one x_t, so that a
volume comes out, and every estimate is moved to agree with the source as a whole (`sampling.agreement`); both
are this project's.
"""

from __future__ import annotations

from typing import Any

import torch

from napari_vol2vol.bundles.card import BundleCard
from napari_vol2vol.bundles.weights import load_unet
from napari_vol2vol.errors import BundleError
from napari_vol2vol.networks.local_mutual_information import LocalMutualInformation, WindowSettings
from napari_vol2vol.networks.unet import UNet
from napari_vol2vol.sampling.agreement import Agreement, agreeing
from napari_vol2vol.sampling.branches import Diffused
from napari_vol2vol.sampling.denoisers import averaged
from napari_vol2vol.sampling.euler_maruyama import euler_maruyama, predictor_corrector
from napari_vol2vol.sampling.latent import make_latent
from napari_vol2vol.sampling.mutual_information_guide import Guide, guided_denoiser, guiding_layer
from napari_vol2vol.sampling.planes import Plane
from napari_vol2vol.sampling.samplers import SAMPLERS, Denoiser, Sampler
from napari_vol2vol.sampling.warm_start import T_END, from_estimate
from napari_vol2vol.systems.assembly import Assembly, Context, diffused_of, planes_of


def guided_parts(context: Context) -> tuple[UNet, Diffused, LocalMutualInformation]:
    """Return the network of a bundle, what it diffuses and the layer that it was trained with.

    Raises
    ------
    BundleError
        If the bundle was not trained with a map of mutual information.
    """
    card = context.bundle()
    network, diffused, layer = load_unet(card, context.device), diffused_of(card), layer_of(card)
    if diffused.what != "image" or network.config.in_channels != 2:
        raise BundleError(
            f"bundle {card.name}: found a network of {network.config.in_channels} channels for the "
            f"{diffused.what}, accepted is one of an image and its map (2)"
        )
    return network, diffused, layer


def layer_of(card: BundleCard) -> LocalMutualInformation:
    """Return the layer of a bundle's card, or raise `BundleError` where it names none."""
    guidance = card.network.get("guidance")
    if not guidance:
        raise BundleError(
            f"bundle {card.name}: found no guidance in its card, accepted is a bundle of stage guided-score"
        )
    return guiding_layer(WindowSettings(**guidance))


def averaged_planes(
    context: Context, planes: list[Plane], network: UNet, diffused: Diffused, guide: Guide | None, **more: Any
) -> Denoiser:
    """Return the average of the guided (or unguided) denoisers along ``planes``."""
    parts: dict[str, Denoiser] = {
        plane: guided_denoiser(
            network, plane, diffused, guide,
            slice_batch=context.slice_batch, tick=context.tick, tap=context.tap, **more,
        )
        for plane in planes
    }  # fmt: skip
    return averaged(parts, context.weights, context.tap)


def samplers_from(estimate: Any, t_start: float, options: dict[str, Any]) -> dict[str, Sampler]:
    """Return the samplers of a variance-exploding process, from ``estimate`` with noise of ``t_start``."""
    corrected = predictor_corrector(options["corrections"], options["snr"])
    own = {"euler-maruyama": euler_maruyama, "predictor-corrector": corrected} | SAMPLERS
    end = min(T_END, t_start)
    return {
        name: from_estimate(sampler, estimate, t_start=t_start, t_end=end, interpolated=False)
        for name, sampler in own.items()
    }


def build(context: Context) -> Assembly:
    """Assemble x̂0 = mean_p D_p(x_t, LMI(G; G, x_t), t), sampled from noise alone."""
    network, diffused, layer = guided_parts(context)
    source, options = context.measurement.plain, dict(context.options)
    guide = Guide(source, layer, context.slice_batch, context.tick)
    denoiser = averaged_planes(
        context, planes_of(context), network, diffused, guide, strength=options["strength"]
    )
    if options["agreement"] > 0:
        denoiser = agreeing(
            denoiser, Agreement(source, diffused.schedule, diffused.scale, options["agreement"])
        )
    latent = make_latent(diffused.what, diffused.scale, {})
    samplers = samplers_from(lambda: torch.zeros_like(source), 1.0, options)
    return Assembly(denoiser, diffused.schedule, latent.decode, samplers)
