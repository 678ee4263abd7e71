"""Small unconditional slice networks for the tests of priors and their adaptation."""

from __future__ import annotations

import torch

from napari_vol2vol.networks.unet import UNet, UNetConfig
from napari_vol2vol.sampling.branches import Diffused
from napari_vol2vol.sampling.slice_prior import SlicePrior
from tiny_bundles import stirred

DIFFUSED = Diffused("image", 1.0, "epsilon", "vp_linear")


def small_network(channels: int = 1, seed: int = 0) -> UNet:
    """A U-Net of two levels with random weights, frozen."""
    torch.manual_seed(seed)
    config = UNetConfig(2, channels, channels, (16, 32), (1, 1), (1, 1), stem=2, embedding=32, labels=3)
    return stirred(UNet(config), seed).eval().requires_grad_(False)


def small_prior(channels: int = 1, **settings) -> SlicePrior:
    """The prior over `small_network`, predicting x̂0 from noise."""
    return SlicePrior(small_network(channels), DIFFUSED, channels, **settings)
