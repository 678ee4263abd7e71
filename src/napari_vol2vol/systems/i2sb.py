"""I2SB (Liu et al. 2023): a Schroedinger bridge from the degraded volume, x_1, to the clean one, x_0.

x_1 is the first condition of the bundle: the smooth inverse of the measurement, or the source modality. The
paper's system is 2D; with one plane (``Translation.plane``, or a bundle of one) this is that system, slice by
slice. Averaging the planes of a bundle in x̂0 space on one x_t, as TPDM does for diffusion models, is this
project's.
"""

from __future__ import annotations

from napari_vol2vol.bundles.weights import load_unet
from napari_vol2vol.sampling.bridge import BRIDGE_SAMPLERS, bridge_denoiser, make_bridge
from napari_vol2vol.sampling.denoisers import averaged
from napari_vol2vol.sampling.latent import make_latent
from napari_vol2vol.sampling.samplers import Denoiser
from napari_vol2vol.systems.assembly import Assembly, Context, consistent, planes_of


def build(context: Context) -> Assembly:
    """Assemble x̂0 = mean_p (x_t - sigma_fwd(t) eps_p(x_t, x_1, t)) (eq. 12) and the projection."""
    card, m = context.bundle(), context.measurement
    d = card.diffusion
    network, schedule = load_unet(card, context.device), make_bridge(d["schedule"], d["schedule_parameters"])
    latent, condition = make_latent(d["what"], d["scale"], m.conditions), m.condition(card.inputs)
    parts: dict[str, Denoiser] = {
        plane: bridge_denoiser(
            network, condition, plane, schedule, slice_batch=context.slice_batch,
            consecutive=int(card.network.get("consecutive", 1)), tick=context.tick,
        )
        for plane in planes_of(context)
    }  # fmt: skip
    denoiser = consistent(context, averaged(parts, context.weights, context.tap), latent)
    return Assembly(denoiser, schedule, latent.decode, BRIDGE_SAMPLERS, latent.encode(condition[0]))
