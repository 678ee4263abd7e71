"""One file a system; `SYSTEMS` lists them without importing torch."""

from napari_vol2vol.systems.registry import SYSTEMS, SystemInfo, get_system

__all__ = ["SYSTEMS", "SystemInfo", "get_system"]
