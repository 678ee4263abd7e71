"""Regression baseline: a 3D U-Net predicts the residual over the smooth inverse in one call."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_vol2vol.bundles.weights import load_unet
from napari_vol2vol.sampling.latent import make_latent
from napari_vol2vol.sampling.slabs import in_slabs
from napari_vol2vol.systems.assembly import Assembly, Context, direct


def build(context: Context) -> Assembly:
    """Assemble the baseline; the consistency projection applies to it as to the diffusion systems."""
    card = context.bundle()
    network = load_unet(card, context.device)
    m = context.measurement
    latent = make_latent(card.diffusion["what"], card.diffusion["scale"], m)

    def run(volumes: list[Tensor]) -> list[Tensor]:
        context.tick()
        times = torch.ones(1, device=m.base.device)
        return [network(volumes[0][None], times)[0][0].float()]

    def estimate() -> Tensor:
        (z,) = in_slabs(run, [m.base[None]], [1], context.slab, network.config.multiple)
        x = latent.decode(z[0])
        if context.consistency:
            x = x - m.operator.pseudo_inverse(m.operator(x) - m.y)
        return x

    return direct(estimate)
