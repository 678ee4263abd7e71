"""MONAI's UNet, SegResNet and SwinUNETR as velocity networks, beside the TimeResNet."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.networks.blocks import conv, depth_to_space, space_to_depth, zeroed

#: How a bundle's card names this family of networks.
FAMILY = "time-monai"


@dataclass(frozen=True)
class TimeMonaiConfig:
    """A 2D or 3D network of MONAI, by ``kind``, that is told the time as one more channel.

    ``channels`` are the widths of the levels, ``blocks`` the residual (or transformer) blocks of each,
    ``heads`` the attention heads of each (swinunetr alone). ``stem`` is the space-to-depth factor in front.
    """

    kind: str
    channels: tuple[int, ...]
    blocks: tuple[int, ...]
    heads: tuple[int, ...] = ()
    dims: int = 2
    in_channels: int = 1
    out_channels: int = 1
    stem: int = 1
    family: str = FAMILY

    @property
    def multiple(self) -> int:
        """Every spatial axis must be divisible by this."""
        patches = 1 if self.kind != "swinunetr" else 4  # one before its first level, one after its last
        return int(self.stem * patches * 2 ** (len(self.channels) - 1))

    @property
    def labels(self) -> int:
        """Number of plane labels: none, as a TimeResNet."""
        return 0

    @property
    def inject_channels(self) -> tuple[int, ...]:
        """Widths of features of other networks: it takes none."""
        return ()


_PRESETS: dict[tuple[str, str], TimeMonaiConfig] = {
    ("unet", "compact"): TimeMonaiConfig("unet", (64, 96, 128, 192), (2, 2, 2, 2), stem=2),
    ("unet", "large"): TimeMonaiConfig("unet", (64, 128, 256, 512), (2, 2, 2, 2)),
    ("segresnet", "compact"): TimeMonaiConfig("segresnet", (32, 64, 128, 256), (1, 1, 1, 2), stem=2),
    ("segresnet", "large"): TimeMonaiConfig("segresnet", (32, 64, 128, 256), (1, 2, 2, 4)),
    ("swinunetr", "compact"): TimeMonaiConfig(
        "swinunetr", (24, 48, 96, 192), (2, 2, 2, 2), (3, 6, 12, 24), stem=2
    ),
    ("swinunetr", "large"): TimeMonaiConfig("swinunetr", (48, 96, 192, 384), (2, 2, 2, 2), (3, 6, 12, 24)),
}
KINDS = tuple(dict.fromkeys(kind for kind, _ in _PRESETS))


def time_monai(kind: str, preset: str, in_channels: int = 1) -> TimeMonaiConfig:
    """Return the 2D network of a preset: ``compact`` suits a CPU, ``large`` has MONAI's own layout.

    Raises
    ------
    SettingsError
        For an unknown kind or preset.
    """
    if (kind, preset) not in _PRESETS:
        accepted = ", ".join(f"{k} {p}" for k, p in _PRESETS)
        raise SettingsError(f"MONAI network and preset: found {kind} {preset}, accepted are {accepted}")
    return replace(_PRESETS[kind, preset], in_channels=in_channels)


class TimeMonai(nn.Module):
    """A network of MONAI called and answering as `networks.time_resnet.TimeResNet`.

    The time enters as a constant channel holding ``t``: MONAI's layers have no place for an embedding. The
    networks end in features, and the voxel-wise layer behind them is zero at the start: no change.
    """

    def __init__(self, config: TimeMonaiConfig) -> None:
        super().__init__()
        self.config = config
        cells = config.stem**config.dims
        width = config.channels[0]
        self.net = _network(config, config.in_channels * cells + 1, width)
        self.head = zeroed(conv(config.dims, width, config.out_channels * cells, kernel=1))

    def forward(self, x: Tensor, t: Tensor, label: Tensor | None = None) -> tuple[Tensor, list[Tensor]]:
        """Return the velocity `(N, out_channels, *S)` and no features.

        Parameters
        ----------
        x : Tensor, shape (N, in_channels, *S)
        t : Tensor, shape (N,), in [0, 1]
        label : ignored; the planes share the network
        """
        del label
        h = space_to_depth(x, self.config.stem)
        time = t.to(h.dtype).reshape(-1, *[1] * (h.ndim - 1)).expand(-1, 1, *h.shape[2:])
        return depth_to_space(self.head(self.net(torch.cat([h, time], dim=1))), self.config.stem), []


def _network(config: TimeMonaiConfig, c_in: int, c_out: int) -> nn.Module:
    from monai.networks import nets

    shared: dict[str, Any] = {
        "spatial_dims": config.dims, "in_channels": c_in, "out_channels": c_out,
    }  # fmt: skip
    levels = len(config.channels)
    if config.kind == "unet":
        network: nn.Module = nets.UNet(
            **shared, channels=config.channels, strides=(2,) * (levels - 1), num_res_units=config.blocks[0],
            norm=("GROUP", {"num_groups": 8}),
        )  # fmt: skip
    elif config.kind == "segresnet":
        network = nets.SegResNet(
            **shared, init_filters=config.channels[0], blocks_down=config.blocks,
            blocks_up=(1,) * (levels - 1),
        )  # fmt: skip
    elif config.kind == "swinunetr":
        require_einops()
        network = nets.SwinUNETR(
            **shared, feature_size=config.channels[0], depths=config.blocks, num_heads=config.heads,
            norm_name=("GROUP", {"num_groups": 8}),
        )  # fmt: skip
    else:
        raise SettingsError(f"MONAI network: found {config.kind!r}, accepted are {', '.join(KINDS)}")
    return network


def require_einops() -> None:
    """Raise `SettingsError` where einops, which MONAI's SwinUNETR rearranges with, is not installed."""
    if find_spec("einops") is None:
        raise SettingsError(
            "network: found swinunetr, which needs einops; accepted is an installation with it "
            "(pip install einops), or another network"
        )


__all__ = ["FAMILY", "KINDS", "TimeMonai", "TimeMonaiConfig", "require_einops", "time_monai"]
