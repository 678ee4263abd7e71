"""Palette (Saharia et al. 2022): a conditional diffusion model of one plane, slice by slice."""

from __future__ import annotations

from napari_vol2vol.bundles.weights import load_unet
from napari_vol2vol.errors import SettingsError
from napari_vol2vol.sampling.denoisers import plane_denoiser
from napari_vol2vol.systems.assembly import Assembly, Context, diffusion_parts, finish, plane_models


def build(context: Context) -> Assembly:
    """Assemble x̂0 = D_plane(x_t | condition) and the projection; by default the card's first plane."""
    card = context.bundle()
    latent, schedule = diffusion_parts(context, card)
    models = plane_models(context, card, load_unet(card, context.device), schedule)
    wanted = context.plane or card.planes[0]
    chosen = [m for m in models if m.plane == wanted]
    if not chosen:
        raise SettingsError(f"plane: found {wanted!r}, bundle {card.name} has {', '.join(card.planes)}")
    return finish(context, plane_denoiser(chosen[0]), latent, schedule)
