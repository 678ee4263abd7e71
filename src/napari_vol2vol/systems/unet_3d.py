"""Regression baseline: a 3D U-Net predicts the diffused variable (residual or image) in one call."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_vol2vol.bundles.weights import load_unet
from napari_vol2vol.sampling.latent import make_latent
from napari_vol2vol.sampling.slabs import in_slabs
from napari_vol2vol.systems.assembly import Assembly, Context, diffused_of, direct


def build(context: Context) -> Assembly:
    """Assemble the baseline; the consistency projection applies to it as to the diffusion systems."""
    card = context.bundle()
    network, diffused, m = load_unet(card, context.device), diffused_of(card), context.measurement
    latent = make_latent(diffused.what, diffused.scale, m.conditions)
    condition = m.condition(card.inputs)

    def run(volumes: list[Tensor]) -> list[Tensor]:
        context.tick()
        times = torch.ones(1, device=condition.device)
        return [network(volumes[0][None], times)[0][0].float()]

    def estimate() -> Tensor:
        (z,) = in_slabs(run, [condition], [1], context.slab, network.config.multiple)
        x = latent.decode(z[0])
        return m.observed.projected(x) if context.consistency and m.observed is not None else x

    return direct(estimate)
