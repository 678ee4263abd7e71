"""Flow matching of three planes fused by a 3D network, as Score-Fusion fuses diffusion models (eq. 4).

The velocity is ``sum_p (1/3 + w_p) f_p + lambda R`` with weights that sum to one. The 3D network sees x_t and
the velocities of the planes, no 2D features, and no condition: x_t of a flow holds the source, so one
network serves both directions here too.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from napari_vol2vol.bundles.card import BundleCard
from napari_vol2vol.bundles.library import required_bundles
from napari_vol2vol.bundles.weights import load_fusion
from napari_vol2vol.errors import BundleError
from napari_vol2vol.networks.fusion import FusionNetwork
from napari_vol2vol.sampling.denoisers import Tap, no_tap
from napari_vol2vol.sampling.flow import Velocity
from napari_vol2vol.sampling.planes import Tick, no_tick
from napari_vol2vol.sampling.slabs import in_slabs
from napari_vol2vol.systems.assembly import Assembly, Context, planes_of
from napari_vol2vol.systems.mfm import flow_of, plane_velocities


def build(context: Context) -> Assembly:
    """Assemble the fusion of every plane that the bundle was trained on."""
    card = context.bundle()
    fusion, flow = fusion_and_flow(card)
    network = load_fusion(fusion, context.device)
    parts = plane_velocities(context, flow, planes_of(context))
    if len(parts) != network.branches:
        raise BundleError(
            f"bundle {card.name}: found {len(parts)} planes, its network fuses {network.branches}; a single "
            "plane is what mfm is for"
        )
    velocity = fused_velocity(
        network, parts, fusion_lambda=context.fusion_lambda, slab=context.slab, tick=context.tick,
        tap=context.tap,
    )  # fmt: skip
    return flow_of(context, velocity)


def fusion_and_flow(card: BundleCard) -> tuple[BundleCard, BundleCard]:
    """Return the cards of the 3D network and of the 2D flow: the card's own, and of those it requires.

    Raises
    ------
    BundleError
        If either is missing.
    """
    cards = [card, *required_bundles(card).values()] if card.weights else [*required_bundles(card).values()]
    by_dims = {c.network.get("dims"): c for c in cards}
    if {2, 3} - set(by_dims):
        raise BundleError(
            f"bundle {card.name}: found networks of {', '.join(c.name for c in cards) or 'none'}, accepted "
            "are a 3D network and the 2D flow that it fuses"
        )
    return by_dims[3], by_dims[2]


def fused_velocity(
    network: FusionNetwork,
    parts: Sequence[Velocity],
    *,
    fusion_lambda: float = 1.0,
    slab: int | None = None,
    tick: Tick = no_tick,
    tap: Tap = no_tap,
) -> Velocity:
    """Return the velocity of volumes `(D, H, W)` that a 3D network makes of those of planes.

    Parameters
    ----------
    slab : int, optional
        Limits the axial slices the 3D network sees at once (`in_slabs`).
    """

    def run(volumes: list[Tensor], t: float) -> list[Tensor]:
        tick()
        x, branches = volumes
        times = torch.full((1,), t, device=x.device, dtype=torch.float32)
        out = network(x[None], x[None, :0], branches[None], times, (), fusion_lambda)
        return [out.prediction[0].float(), out.weights[0].float(), out.residual[0].float()]

    def velocity(x: Tensor, t: float) -> Tensor:
        branches = torch.stack([part(x, t) for part in parts])
        multiple = network.unet.config.multiple
        prediction, weights, residual = in_slabs(
            lambda v: run(v, t), [x[None], branches], [1, 1], slab, multiple
        )
        tap("w", weights[0] - 1 / len(parts))
        tap("R", residual[0])
        return prediction[0]

    return velocity
