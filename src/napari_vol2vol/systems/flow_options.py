"""The settings of the systems between the phases of CT."""

from __future__ import annotations

from napari_vol2vol.options import Option

KEEP, NETWORK = "keep", "network"
GRAIN = Option(
    "grain", KEEP, "keep: the scan's own noise stays where little changes; network: smoother, as the network "
    "has it", choices=(KEEP, NETWORK),
)  # fmt: skip

__all__ = ["GRAIN", "KEEP", "NETWORK"]
