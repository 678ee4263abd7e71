"""Score-Fusion (Zhu et al. 2025), algorithm 2: plane models, a 3D network over them, projection."""

from __future__ import annotations

from napari_vol2vol.bundles.library import required_bundle
from napari_vol2vol.bundles.weights import load_fusion, load_unet
from napari_vol2vol.sampling.denoisers import fused
from napari_vol2vol.systems.assembly import Assembly, Context, diffusion_parts, finish, plane_models


def build(context: Context) -> Assembly:
    """Assemble eps = (0.5 + w) eps_a + (0.5 - w) eps_b + lambda R (eq. 4) and the projection (line 13)."""
    card = context.bundle()
    latent, schedule = diffusion_parts(context, card)
    planes = required_bundle(card)
    models = plane_models(context, planes, load_unet(planes, context.device), schedule)
    network = load_fusion(card, context.device)
    denoiser = fused(
        models,
        network,
        card.network["feature_scales"],
        fusion_lambda=context.fusion_lambda,
        slab=context.slab,
        tap=context.tap,
    )
    return finish(context, denoiser, latent, schedule)
