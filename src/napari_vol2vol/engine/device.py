"""Which device and which precision a run uses."""

from __future__ import annotations

import time
from functools import lru_cache

import torch

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.networks.blocks import channels_last


def resolve_device(name: str) -> torch.device:
    """Return the torch device for a name; ``auto`` prefers CUDA, then MPS, then the CPU.

    Raises
    ------
    SettingsError
        If the device is not there; the message names what is.
    """
    present = ["cpu"]
    present += ["mps"] if torch.backends.mps.is_available() else []
    present += [f"cuda:{i}" for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    if name == "auto":
        return torch.device(next((d for d in ("cuda:0", "mps") if d in present), "cpu"))
    wanted = "cuda:0" if name == "cuda" else name
    if wanted not in present:
        raise SettingsError(f"device: found {name!r}, present on this machine are auto, {', '.join(present)}")
    return torch.device(wanted)


@lru_cache(maxsize=4)
def bfloat16_is_faster(device: str) -> bool:
    """Whether a convolution of the compact networks is at least 1.3 times as fast in bfloat16."""
    layer = channels_last(torch.nn.Conv2d(64, 64, 3, padding=1).to(device), 2)
    x = torch.zeros(8, 64, 48, 48, device=device).contiguous(memory_format=torch.channels_last)

    def best(dtype: torch.dtype) -> float:
        typed, data = layer.to(dtype), x.to(dtype)
        seconds = []
        for _ in range(5):
            begin = time.perf_counter()
            typed(data)
            if device.startswith("cuda"):
                torch.cuda.synchronize()
            seconds.append(time.perf_counter() - begin)
        return min(seconds)

    with torch.inference_mode():
        return best(torch.float32) > 1.3 * best(torch.bfloat16)


def resolve_precision(name: str, device: torch.device) -> torch.dtype:
    """Return the dtype of network calls; ``auto`` measures once whether bfloat16 is faster on this device."""
    if name == "float32" or device.type == "mps":
        return torch.float32
    if name == "bfloat16":
        return torch.bfloat16
    return torch.bfloat16 if bfloat16_is_faster(str(device)) else torch.float32
