"""MONAI's U-Net behind this project's calling convention: the network of the regression and GAN baselines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.networks.blocks import conv
from napari_vol2vol.networks.time_monai import TimeMonaiConfig
from napari_vol2vol.networks.time_resnet import TimeResNetConfig
from napari_vol2vol.networks.unet import UNetConfig

#: How a bundle's card names this family of networks.
FAMILY = "monai-unet"
PLANE_LABELS = 3  # axial, coronal, sagittal


@dataclass(frozen=True)
class MonaiUNetConfig:
    """Widths and depths of `monai.networks.nets.UNet`.

    ``strides`` are the downsampling factors, one in front of each level but the last;
    ``labels`` is the number of plane labels, which enter as constant channels (0: none); ``groups`` those of
    the group normalisation, which unlike batch normalisation does not mix slices and unlike instance
    normalisation works down to one pixel; ``last`` is the number of features at full resolution.
    """

    dims: int
    in_channels: int
    out_channels: int
    channels: tuple[int, ...]
    strides: tuple[int, ...]
    res_units: int = 1
    groups: int = 8
    last: int = 32
    labels: int = 0
    family: str = FAMILY

    @property
    def multiple(self) -> int:
        """Every spatial axis must be divisible by this."""
        return prod(self.strides)

    @property
    def stem(self) -> int:
        """How far the first features are downsampled."""
        return self.strides[0]

    @property
    def inject_channels(self) -> tuple[int, ...]:
        """No 2D features are injected."""
        return ()


#: What a card or a job may hold: dims, multiple, stem, channels and inject_channels are common to all.
NetworkConfig = UNetConfig | MonaiUNetConfig | TimeResNetConfig | TimeMonaiConfig

_PRESETS: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "compact": ((64, 96, 128), (2, 2)),
    "large": ((48, 96, 192, 384), (2, 2, 2)),
}


def monai_unet(preset: str, dims: int, inputs: int) -> MonaiUNetConfig:
    """Return the network of a preset from ``inputs`` channels to one; 2D networks are told their plane.

    Raises
    ------
    SettingsError
        For an unknown preset.
    """
    if preset not in _PRESETS:
        raise SettingsError(f"MONAI U-Net preset: found {preset!r}, accepted are {', '.join(_PRESETS)}")
    channels, strides = _PRESETS[preset]
    return MonaiUNetConfig(dims, inputs, 1, channels, strides, labels=PLANE_LABELS if dims == 2 else 0)


class MonaiUNet(nn.Module):
    """MONAI's residual U-Net and one voxel-wise layer, called and answering as `networks.unet.UNet`.

    MONAI's own last layer normalises its output; here it ends in ``config.last`` features instead.
    """

    def __init__(self, config: MonaiUNetConfig) -> None:
        super().__init__()
        from monai.networks.nets import UNet

        self.config = config
        self.net = UNet(
            spatial_dims=config.dims,
            in_channels=config.in_channels + config.labels,
            out_channels=config.last,
            channels=config.channels,
            strides=config.strides,
            num_res_units=config.res_units,
            norm=("GROUP", {"num_groups": config.groups}),
        )
        self.head = conv(config.dims, config.last, config.out_channels, kernel=1)

    def forward(
        self, x: Tensor, t: Tensor | None = None, label: Tensor | None = None, injected: Sequence[Tensor] = ()
    ) -> tuple[Tensor, list[Tensor]]:
        """Return the output `(N, out_channels, *S)` and no features; ``t`` and ``injected`` are ignored.

        Parameters
        ----------
        x : Tensor, shape (N, in_channels, *S)
        label : Tensor of int64, shape (N,), for networks with labels
        """
        del t, injected
        if self.config.labels:
            if label is None:
                raise ValueError("this network is conditioned on a plane: label is missing")
            planes = F.one_hot(label, self.config.labels).to(x.dtype)
            planes = planes.reshape(*planes.shape, *(1,) * (x.ndim - 2)).expand(-1, -1, *x.shape[2:])
            x = torch.cat([x, planes], dim=1)
        return self.head(self.net(x)), []
