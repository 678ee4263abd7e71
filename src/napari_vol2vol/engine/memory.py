"""How much memory a run will need, and what to do when it was too little."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

from napari_vol2vol.networks.monai_unet import NetworkConfig

#: Full float32 volumes held during a run: y, base, plain, x_t, x̂0, two branches, statistics, snapshots.
VOLUMES_HELD = 16
#: Live activations of a U-Net call, in units of its first level's features (measured by `vol2vol bench`).
ACTIVATIONS = 7.0


@dataclass(frozen=True)
class Plan:
    """How a run uses memory: slices a 2D call, axial slices a 3D call (None: all), device."""

    slice_batch: int
    slab: int | None
    device: str


def network_bytes(config: NetworkConfig, shape: Sequence[int], itemsize: int) -> int:
    """Return the estimated peak of one network call on ``shape`` (all axes but channels)."""
    cells = prod(shape) / config.stem**config.dims
    widest = config.channels[0] * 2
    return int(cells * widest * itemsize * ACTIVATIONS)


def estimate_bytes(
    shape: tuple[int, int, int],
    plan: Plan,
    itemsize: int,
    plane: NetworkConfig | None,
    volume: NetworkConfig | None,
) -> int:
    """Return the estimated peak memory of a run in bytes, beyond what the process holds already."""
    total = prod(shape) * 4 * VOLUMES_HELD
    if plane is not None:
        total += network_bytes(plane, (min(plan.slice_batch, max(shape)), *sorted(shape)[1:]), itemsize)
    if volume is not None:
        depth = min(shape[0], plan.slab + 32) if plan.slab else shape[0]
        total += network_bytes(volume, (depth, *shape[1:]), itemsize)
        injected = sum(volume.inject_channels[:1])
        total += int(prod(shape) / volume.stem**3 * injected * itemsize * 1.5)
    return total


def step_down(plan: Plan, depth: int) -> tuple[Plan, str] | None:
    """Return the next smaller plan and what changed in words, or None when nothing smaller is left.

    The ladder: fewer slices a 2D call, then slabs for the 3D network, then the CPU.
    """
    if plan.slice_batch > 4:
        smaller = max(4, plan.slice_batch // 4)
        return replace(
            plan, slice_batch=smaller
        ), f"{smaller} slices a network call instead of {plan.slice_batch}"
    slab = plan.slab or depth
    if slab > 32:
        half = max(32, slab // 2 - slab // 2 % 16)
        return replace(
            plan, slab=half
        ), f"the 3D network sees slabs of {half} slices (its result changes slightly)"
    if plan.device != "cpu":
        return Plan(16, None, "cpu"), "the CPU instead of the GPU"
    return None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error is an out-of-memory of any device (torch raises plain RuntimeErrors on the CPU)."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in text or "can't allocate memory" in text
