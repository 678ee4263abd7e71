"""Palette-3D: a fully 3D network conditioned by concatenation (Med-DDPM, Dorjsembe et al. 2024)."""

from __future__ import annotations

from napari_vol2vol.bundles.weights import load_unet
from napari_vol2vol.sampling.denoisers import volume_denoiser
from napari_vol2vol.systems.assembly import Assembly, Context, diffused_of, finish


def build(context: Context) -> Assembly:
    """Assemble x̂0 = D_3D(x_t | condition) and the projection."""
    card = context.bundle()
    network, diffused = load_unet(card, context.device), diffused_of(card)
    denoiser = volume_denoiser(
        network,
        context.measurement.condition(card.inputs),
        diffused,
        multiple=network.config.multiple,
        slab=context.slab,
        tick=context.tick,
    )
    return finish(context, denoiser, diffused)
