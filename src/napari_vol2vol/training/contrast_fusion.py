"""The stage that fuses the planes of a trained flow by a 3D network, with the flow frozen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_vol2vol.networks.fusion import FusionNetwork
from napari_vol2vol.networks.presets import fusion_unet
from napari_vol2vol.networks.velocity import VelocityNetwork, source_slices_of
from napari_vol2vol.sampling.flow import Velocity, linear_path
from napari_vol2vol.sampling.plane_velocity import plane_velocity
from napari_vol2vol.sampling.planes import PLANES, Plane
from napari_vol2vol.systems.mfm_fusion import fused_velocity
from napari_vol2vol.training.contrast_validation import SLICES, Restore, rk2_once
from napari_vol2vol.training.flow_pool import TorsoPool
from napari_vol2vol.training.precision import faster_precision
from napari_vol2vol.training.recipe import Recipe
from napari_vol2vol.training.stages import Loss
from napari_vol2vol.volume import pad_to_multiple


def planes_in(recipe: Recipe) -> list[Plane]:
    """Return the planes of a recipe, each once, in the order of branches."""
    return [plane for plane in PLANES if plane in recipe.planes]


def make_flow_fusion(recipe: Recipe) -> FusionNetwork:
    """Return the untrained 3D network of a recipe: the exact average of its planes."""
    return FusionNetwork(fusion_unet(recipe.preset, conditions=0, branches=len(planes_in(recipe))))


def frozen_parts(flow: VelocityNetwork, planes: Sequence[Plane], source: Tensor) -> list[Velocity]:
    """Return the velocity of volumes along each plane on the way from a source, without gradients."""

    def along(plane: Plane) -> Velocity:
        whole = plane_velocity(flow, plane, source, source_slices_of(flow.config), slice_batch=SLICES)

        def velocity(x: Tensor, t: float) -> Tensor:
            with torch.no_grad(), faster_precision():
                return whole(x, t)

        return velocity

    return [along(plane) for plane in planes]


def flow_fusion_loss(pool: TorsoPool, recipe: Recipe, flow: VelocityNetwork) -> Loss:
    """Return the loss of flow matching (eq. 5) of the fused velocity, on random cubes at random times."""
    planes = planes_in(recipe)

    def loss(network: nn.Module, step: int) -> Tensor:
        if step and step % recipe.pool.renew_every == 0:
            pool.renew()
        rng = np.random.default_rng([recipe.seed, 41, step])
        pairs = [pool.cube(rng, recipe.crop) for _ in range(recipe.batch)]
        native, contrast = (torch.stack(volumes) for volumes in zip(*pairs, strict=True))
        n = len(pairs)
        t = torch.from_numpy(((rng.permutation(n) + rng.random(n)) / n).astype(np.float32))
        near, far = linear_path(t.reshape(n, 1, 1, 1))
        x_t = near * native + far * contrast
        sources = torch.where(torch.from_numpy(rng.random(n) < 0.5).reshape(n, 1, 1, 1), contrast, native)
        branches = torch.stack(
            [
                torch.stack([part(x, float(s)) for part in frozen_parts(flow, planes, source)])
                for x, s, source in zip(x_t, t, sources, strict=True)
            ]
        )
        with faster_precision():
            fused = network(x_t[:, None], x_t[:, None][:, :0], branches, t)
        return F.mse_loss(fused.prediction[:, 0].float(), contrast - native)

    return loss


def fused_rk2(flow: VelocityNetwork, planes: Sequence[Plane]) -> Restore:
    """Return the way of a fused flow: one step of RK2 on the whole volume, padded as the networks need."""

    def restore(network: nn.Module, source: Tensor) -> Tensor:
        assert isinstance(network, FusionNetwork)
        multiple = max(flow.config.multiple, network.unet.config.multiple)
        padded, crop = pad_to_multiple(source.numpy(), multiple)
        start = torch.from_numpy(padded)
        return rk2_once(fused_velocity(network, frozen_parts(flow, planes, start)), start)[crop]

    return restore
