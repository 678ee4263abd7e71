"""The fusion head of Score-Fusion: a 3D network weighs 2D models and adds what only 3D shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from napari_vol2vol.networks.unet import UNet, UNetConfig


@dataclass(frozen=True)
class Fused:
    """Fused prediction `(N, 1, D, H, W)`, weights `(N, B, D, H, W)` that sum to 1, and residual R."""

    prediction: Tensor
    weights: Tensor
    residual: Tensor


class FusionNetwork(nn.Module):
    """Score-Fusion, eq. 4: ``eps = (0.5 + w) eps_a + (0.5 - w) eps_b + lambda R``.

    For B branches the weights are ``1 / B + w_b``, where ``w_B = -(w_1 + ... + w_{B-1})``: they sum to one,
    and for two branches this is eq. 4. The last convolution of the U-Net is zero, so an untrained network
    returns the exact average of its branches. Since the weights sum to one, the same formula holds for ε-,
    x0- and v-predictions of the branches. ``config.out_channels`` is B: B - 1 weight maps and R.
    """

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.branches = config.out_channels
        self.unet = UNet(config)

    def forward(
        self,
        x_t: Tensor,
        condition: Tensor,
        branches: Tensor,
        t: Tensor,
        features: Sequence[Tensor] = (),
        fusion_lambda: float = 1.0,
    ) -> Fused:
        """Fuse the branches.

        Parameters
        ----------
        x_t : Tensor, shape (N, 1, D, H, W)
        condition : Tensor, shape (N, C, D, H, W)
        branches : Tensor, shape (N, B, D, H, W)
            Predictions of the plane models.
        t : Tensor, shape (N,)
        features : sequence of Tensor
            Per level, pooled 2D features `(N, F, D / s, H / s, W / s)`.
        """
        output, _ = self.unet(torch.cat([x_t, condition, branches], dim=1), t, None, features)
        w, residual = output[:, :-1].to(branches.dtype), output[:, -1:].to(branches.dtype)
        weights = 1 / self.branches + torch.cat([w, -w.sum(1, keepdim=True)], dim=1)
        prediction = (weights * branches).sum(1, keepdim=True) + fusion_lambda * residual
        return Fused(prediction, weights, residual)
