"""Peak memory of one piece of work, where the system can tell it apart from what was before."""

from __future__ import annotations

from pathlib import Path

import torch

from napari_vol2vol.evaluation.super_resolution_table import peak_memory_gib

#: Writing 5 here resets the peak resident memory of the process (Linux, man 5 proc).
CLEAR_REFS = Path("/proc/self/clear_refs")


def reset_peak(device: torch.device) -> bool:
    """Start a new peak; False where the system cannot, and `peak_gib` tells the peak of the whole process.

    On CUDA the peak is that of the device memory, elsewhere the resident memory of this process.
    """
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return True
    try:
        CLEAR_REFS.write_text("5")
    except OSError:
        return False
    return True


def peak_gib(device: torch.device) -> float:
    """Return the peak since `reset_peak`, in GiB."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**30
    return peak_memory_gib()
