"""Peak memory of one piece of work, where the system can tell it apart from what was before."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil
import torch

#: Writing 5 here resets the peak resident memory of the process (Linux, man 5 proc).
CLEAR_REFS = Path("/proc/self/clear_refs")
STATUS = Path("/proc/self/status")


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
    return resident_peak_gib()


def resident_peak_gib() -> float:
    """Return the peak resident memory of this process in GiB; on Linux since `reset_peak`."""
    if STATUS.exists():
        # ru_maxrss also counts the process that started this one, and no reset takes that away
        (line,) = (line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 2**20
    if sys.platform == "win32":
        return int(psutil.Process().memory_info().peak_wset) / 2**30
    import resource  # not on Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**30
