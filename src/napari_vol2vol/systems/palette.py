"""Palette (Saharia et al. 2022): a conditional diffusion model of one plane, slice by slice.

`palette-2.5d` is the same with a bundle whose network sees several consecutive slices.
"""

from __future__ import annotations

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.sampling.denoisers import plane_denoiser
from napari_vol2vol.systems.assembly import Assembly, Context, at_work, branches_of, diffused_of, finish


def build(context: Context) -> Assembly:
    """Assemble x̂0 = D_plane(x_t | condition) and the projection; by default the card's first plane."""
    card = context.bundle()
    branches = branches_of(card, context.device)
    wanted = context.plane or branches[0].plane
    chosen = [b for b in branches if b.plane == wanted]
    if not chosen:
        raise SettingsError(f"plane: found {wanted!r}, bundle {card.name} has {', '.join(card.planes)}")
    shared = diffused_of(card)
    (model,) = at_work(context, chosen[:1], shared)
    return finish(context, plane_denoiser(model), shared)
