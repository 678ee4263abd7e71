"""Low-rank changes of a network's weights (LoRA, Hu et al. 2022) that leave no trace."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.networks.blocks import ResBlock

ADAPTABLE = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)
LAYERS = ("blocks", "all")
#: One pair (down, up) a layer, flat: what `LowRankWeights.state` returns.
State = list[Tensor]


class _LowRank(nn.Module):
    """``weight + scale * up @ down``, with the input channels and the kernel of a convolution as columns.

    That is a convolution to ``rank`` channels followed by a 1 x 1 one, beside the original.
    """

    def __init__(self, weight: Tensor, rank: int, scale: float) -> None:
        super().__init__()
        rows, columns = weight.shape[0], weight[0].numel()
        rank = min(rank, rows, columns)
        self.scale, self.rank = scale, rank
        self.down = nn.Parameter(weight.new_zeros(rank, columns))
        self.up = nn.Parameter(weight.new_zeros(rows, rank))

    def forward(self, weight: Tensor) -> Tensor:
        """Return the changed weight.

        Without autocast, which would keep the factors as they were rounded before the first optimiser step.
        """
        with torch.autocast(weight.device.type, enabled=False):
            return weight + self.scale * (self.up @ self.down).reshape(weight.shape)


def adaptable_layers(network: nn.Module, layers: str = "blocks") -> list[nn.Module]:
    """Return the convolutions and linear maps that are changed.

    ``blocks`` are those inside residual and attention blocks, as in the authors' code; ``all`` adds the first
    and the last convolution and those between levels.

    Raises
    ------
    SettingsError
        If the name is unknown or the network has no such layer.
    """
    if layers not in LAYERS:
        raise SettingsError(f"layers: found {layers!r}, accepted are {', '.join(LAYERS)}")
    inside = [m for m in network.modules() if isinstance(m, ResBlock) or "Attention" in type(m).__name__]
    roots = [network] if layers == "all" else inside
    found = dict.fromkeys(m for root in roots for m in root.modules() if isinstance(m, ADAPTABLE))
    if not found:
        raise SettingsError(
            f"layers: found no convolution or linear map in {layers!r} of {type(network).__name__}, accepted "
            "is a network that has some"
        )
    return list(found)


class LowRankWeights:
    """A context in which a network's weights have a trainable low-rank change, zero at the start.

    Inside, `parameters` are the only ones that require gradients. At the end, also after an error or a
    cancel, the network has its own weights back: the very tensors, never written to.

    Parameters
    ----------
    rank : int
        4 in SCD and DDIP.
    layers : str
        See `adaptable_layers`.
    scale : float
        Of the change.
    seed : int
        Of the first factor, which is normal with deviation ``1 / rank``; the second one starts at zero.

    Raises
    ------
    SettingsError
        If the rank is below 1; on entering, if the network is being changed already.
    """

    def __init__(
        self, network: nn.Module, *, rank: int = 4, layers: str = "blocks", scale: float = 1.0, seed: int = 0
    ) -> None:
        if rank < 1:
            raise SettingsError(f"rank: found {rank}, accepted are 1 or more")
        self._modules = adaptable_layers(network, layers)
        self._changes: list[_LowRank] = []
        self.rank, self.scale, self.seed = rank, scale, seed

    def __enter__(self) -> Self:
        """Put the changes in."""
        if self._changes or any(parametrize.is_parametrized(m, "weight") for m in self._modules):
            raise SettingsError(
                "low-rank weights: found the network changed already, accepted is one at a time"
            )
        try:
            with torch.inference_mode(False):
                for module in self._modules:
                    change = _LowRank(module.weight, self.rank, self.scale)  # type: ignore[arg-type]
                    parametrize.register_parametrization(module, "weight", change)
                    self._changes.append(change)
                self.reset()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the changes out."""
        self._remove()

    def parameters(self) -> Iterator[nn.Parameter]:
        """Yield the trainable factors, layer by layer."""
        for change in self._changes:
            yield change.down
            yield change.up

    def reset(self) -> None:
        """Set the change back to zero."""
        generator = torch.Generator().manual_seed(self.seed)
        with torch.no_grad():
            for change in self._changes:
                drawn = torch.randn(change.down.shape, generator=generator) / change.rank
                change.down.copy_(drawn)
                change.up.zero_()

    def state(self) -> State:
        """Return a copy of the factors."""
        with torch.inference_mode(False):
            return [p.detach().clone() for p in self.parameters()]

    def load(self, state: Sequence[Tensor]) -> None:
        """Set the factors to copies of those of `state`."""
        with torch.no_grad():
            for parameter, value in zip(self.parameters(), state, strict=True):
                parameter.copy_(value)

    def _remove(self) -> None:
        for module, _ in zip(self._modules, self._changes, strict=False):
            parametrize.remove_parametrizations(module, "weight", leave_parametrized=False)
        self._changes = []
