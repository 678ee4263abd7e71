"""One-call baselines with MONAI's U-Net: regression, and the generators of pix2pix (Isola et al. 2017).

`unet` and `pix2pix` are 2D, slice by slice, averaged over the planes of the bundle where it has several;
`pix2pix-3d` sees the volume. What sets regression and generator apart is how they were trained.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from napari_vol2vol.bundles.weights import load_monai_unet
from napari_vol2vol.sampling.denoisers import Tap, averaged, no_tap
from napari_vol2vol.sampling.latent import make_latent
from napari_vol2vol.sampling.planes import Plane, Tick, apply_plane, no_tick
from napari_vol2vol.sampling.samplers import Denoiser
from napari_vol2vol.sampling.slabs import in_slabs
from napari_vol2vol.systems.assembly import Assembly, Context, diffused_of, direct, planes_of


def from_planes(
    network: nn.Module,
    condition: Tensor,
    planes: Sequence[Plane],
    *,
    slice_batch: int = 16,
    consecutive: int = 1,
    weights: Sequence[float] | None = None,
    tick: Tick = no_tick,
    tap: Tap = no_tap,
) -> Tensor:
    """Return the (weighted) average `(D, H, W)` of what a 2D network answers along each plane.

    Parameters
    ----------
    condition : Tensor, shape (C, D, H, W)
    weights : sequence of float, optional
        One per plane, summing to one; equal by default.
    """

    def along(plane: Plane) -> Denoiser:
        return lambda x_t, t: (
            apply_plane(
                network, condition, t, plane, slice_batch=slice_batch, consecutive=consecutive, tick=tick
            ).prediction
        )

    return averaged({plane: along(plane) for plane in planes}, weights, tap)(condition[0], 0.0)


def from_volume(
    network: nn.Module, condition: Tensor, *, multiple: int, slab: int | None = None, tick: Tick = no_tick
) -> Tensor:
    """Return what a 3D network answers, `(D, H, W)`, in slabs of axial slices where ``slab`` is given.

    Parameters
    ----------
    condition : Tensor, shape (C, D, H, W)
    multiple : int
        What a slab must be divisible by (`in_slabs`).
    """

    def run(volumes: list[Tensor]) -> list[Tensor]:
        tick()
        times = torch.zeros(1, device=condition.device)
        return [network(volumes[0][None], times)[0][0].float()]

    return in_slabs(run, [condition], [1], slab, multiple)[0][0]


def build(context: Context) -> Assembly:
    """Assemble x̂0 = G(condition) and the consistency projection."""
    card, m = context.bundle(), context.measurement
    network, diffused = load_monai_unet(card, context.device), diffused_of(card)
    latent, condition = make_latent(diffused.what, diffused.scale, m.conditions), m.condition(card.inputs)
    planes = planes_of(context) if network.config.dims == 2 else []

    def estimate() -> Tensor:
        if planes:
            z = from_planes(
                network, condition, planes, slice_batch=context.slice_batch, weights=context.weights,
                consecutive=int(card.network.get("consecutive", 1)), tick=context.tick, tap=context.tap,
            )  # fmt: skip
        else:
            multiple = network.config.multiple
            z = from_volume(network, condition, multiple=multiple, slab=context.slab, tick=context.tick)
        x = latent.decode(z)
        return m.observed.projected(x) if context.consistency and m.observed is not None else x

    return direct(estimate)
