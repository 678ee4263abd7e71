"""The network of ADM (Dhariwal and Nichol 2021) as an unconditional prior, from MONAI's parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

#: How a bundle's card names this family of networks.
FAMILY = "adm"


@dataclass(frozen=True)
class AdmConfig:
    """Widths and depths of `monai.networks.nets.DiffusionModelUNet`.

    The defaults are those of the prior that SCD and DDIP adapt, for images of 256 x 256: 256 channels
    multiplied by (1, 1, 2, 2, 4, 4), one residual block a level, which also does the resampling, and
    attention with heads of 64 channels where the image is 16 x 16.
    """

    dims: int = 2
    in_channels: int = 1
    out_channels: int = 1
    channels: tuple[int, ...] = (256, 256, 512, 512, 1024, 1024)
    attention: tuple[bool, ...] = (False, False, False, False, True, False)
    blocks: int = 1
    head_channels: int = 64
    groups: int = 32
    family: str = FAMILY

    @property
    def multiple(self) -> int:
        """Every spatial axis must be divisible by this."""
        return int(2 ** (len(self.channels) - 1))

    @property
    def stem(self) -> int:
        """How far the first features are downsampled: not at all."""
        return 1

    @property
    def labels(self) -> int:
        """Number of plane labels: none."""
        return 0

    @property
    def inject_channels(self) -> tuple[int, ...]:
        """Widths of features of other networks: it takes none."""
        return ()


class Adm(nn.Module):
    """MONAI's diffusion U-Net, called and answering as `networks.unet.UNet`."""

    def __init__(self, config: AdmConfig) -> None:
        super().__init__()
        from monai.networks.nets.diffusion_model_unet import DiffusionModelUNet

        self.config = config
        self.net = DiffusionModelUNet(
            spatial_dims=config.dims,
            in_channels=config.in_channels,
            out_channels=config.out_channels,
            num_res_blocks=config.blocks,
            channels=config.channels,
            attention_levels=config.attention,
            norm_num_groups=config.groups,
            resblock_updown=True,
            num_head_channels=config.head_channels,
        )

    def forward(
        self, x: Tensor, t: Tensor, label: Tensor | None = None, injected: Sequence[Tensor] = ()
    ) -> tuple[Tensor, list[Tensor]]:
        """Return the output `(N, out_channels, *S)` and no features; ``label`` and ``injected`` are ignored.

        Parameters
        ----------
        x : Tensor, shape (N, in_channels, *S)
        t : Tensor, shape (N,), in [0, 1]; MONAI counts to 1000
        """
        del label, injected
        output: Tensor = self.net(x, 1000 * t.to(torch.float32))
        return output, []
