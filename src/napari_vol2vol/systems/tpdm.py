"""TPDM (Lee et al. 2023): two perpendicular plane models, averaged at every step on one shared x_t."""

from __future__ import annotations

from napari_vol2vol.bundles.weights import load_unet
from napari_vol2vol.sampling.denoisers import averaged, plane_denoiser
from napari_vol2vol.systems.assembly import Assembly, Context, diffusion_parts, finish, plane_models


def build(context: Context) -> Assembly:
    """Assemble x̂0 = (D_a(x_t) + D_b(x_t)) / 2 and the consistency projection."""
    card = context.bundle()
    latent, schedule = diffusion_parts(context, card)
    models = plane_models(context, card, load_unet(card, context.device), schedule)
    average = averaged({model.plane: plane_denoiser(model) for model in models}, tap=context.tap)
    return finish(context, average, latent, schedule)
