"""Local mutual information against a plain loop over positions: seconds, agreement, memory."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_vol2vol.engine.allocation import reused_memory
from napari_vol2vol.evaluation.peak_memory import peak_gib, reset_peak
from napari_vol2vol.networks.local_mutual_information import LocalMutualInformation, WindowSettings

FloatArray = NDArray[np.float64]
SLICE, VOLUME = (256, 256), (96, 96, 96)
VOLUME_WINDOW = 9
REPEATS = 3


@dataclass(frozen=True)
class LmiTiming:
    """One case: ``seconds`` of the layer, of the loop (None: not run), and their largest difference in nats.

    ``peak_gib`` is what the call added to the process (or holds on the device), ``bound_gib`` what
    `WindowSettings.peak_bytes` says; ``own`` tells whether the peak is of this call alone.
    """

    case: str
    seconds: float
    plain_seconds: float | None
    difference: float | None
    peak_gib: float
    bound_gib: float
    own: bool

    @property
    def speedup(self) -> float | None:
        """How many times faster than the loop."""
        return None if self.plain_seconds is None else self.plain_seconds / self.seconds


def plain_local_mutual_information(x: FloatArray, y: FloatArray, settings: WindowSettings) -> FloatArray:
    """Return LMI in nats of two images or volumes in [-1, 1], one position and one shift after another.

    The definitions of the paper as they stand: the weights of the levels are found for every window anew, and
    the histogram of a window is the product of two small matrices.
    """
    r, window = settings.radius, settings.window
    around_x = np.pad(x, r, mode="edge")
    around_y = np.pad(y, 2 * r, mode="edge")
    result = np.empty(x.shape)
    for position in np.ndindex(*x.shape):
        of_x = _weights(_window(around_x, position, window), settings)
        result[position] = max(
            _information(
                of_x,
                _weights(
                    _window(around_y, [p + r + n for p, n in zip(position, slide, strict=True)], window),
                    settings,
                ),
            )
            for slide in product(settings.offsets, repeat=x.ndim)
        )
    return result


def _window(padded: FloatArray, start: Sequence[int], window: int) -> FloatArray:
    return padded[tuple(slice(s, s + window) for s in start)].reshape(-1)


def _weights(values: FloatArray, settings: WindowSettings) -> FloatArray:
    """Return the weights of the levels for each value, `(values, levels)`, rows summing to one."""
    position = np.clip((values + 1) / 2 * (settings.levels - 1), 0, settings.levels - 1)
    distance = (position[:, None] - np.arange(settings.levels)) / settings.bandwidth
    weights = np.exp(-0.5 * distance**2)
    return np.asarray(weights / weights.sum(1, keepdims=True))


def _information(of_x: FloatArray, of_y: FloatArray) -> float:
    joint = of_x.T @ of_y / len(of_x)
    independent = joint.sum(1)[:, None] * joint.sum(0)
    inside = joint > 0
    return float((joint[inside] * np.log(joint[inside] / independent[inside])).sum())


def _images(shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Return a piecewise constant image with borders everywhere, and another contrast of it with noise."""
    rng = np.random.default_rng(0)
    coarse = rng.uniform(-1, 1, [-(-n // 8) for n in shape])
    x = coarse
    for axis in range(len(shape)):
        x = np.repeat(x, 8, axis)
    x = x[tuple(slice(0, n) for n in shape)]
    y = np.clip(np.cos(2 * x) + rng.normal(0, 0.2, shape), -1, 1)
    return torch.from_numpy(x).float(), torch.from_numpy(y).float()


def bench_lmi(device: str = "cpu", *, plain: bool = True) -> Iterator[LmiTiming]:
    """Time a slice of 256 x 256 (beside the loop), then a volume of 96^3 with a window of 9^3."""
    yield _case("256² slice, window 5²", SLICE, WindowSettings(), device, plain=plain)
    yield _case("96³ volume, window 9³", VOLUME, WindowSettings(window=VOLUME_WINDOW), device, plain=False)


def _case(
    name: str, shape: tuple[int, ...], settings: WindowSettings, device: str, *, plain: bool
) -> LmiTiming:
    x, y = (image.to(device) for image in _images(shape))
    layer, where = LocalMutualInformation(settings), torch.device(device)
    small = (slice(0, 16),) * len(shape)  # the first call loads code, whose memory is not the call's
    _timed(layer, x[small], y[small], where)
    before, own = _resident(where), reset_peak(where)
    found, seconds = _timed(layer, x, y, where)
    peak = peak_gib(where) - before
    bound = settings.peak_bytes((1, *shape)) / 2**30
    if not plain:
        return LmiTiming(name, seconds, None, None, peak, bound, own)
    with reused_memory():  # what a run of the engine has; it keeps memory, so the peak came before
        seconds = min(_timed(layer, x, y, where)[1] for _ in range(REPEATS))
    begin = time.perf_counter()
    expected = plain_local_mutual_information(x.double().cpu().numpy(), y.double().cpu().numpy(), settings)
    plain_seconds = time.perf_counter() - begin
    difference = float(np.abs(found[0].double().cpu().numpy() - expected).max())
    return LmiTiming(name, seconds, plain_seconds, difference, peak, bound, own)


def _timed(layer: LocalMutualInformation, x: Tensor, y: Tensor, device: torch.device) -> tuple[Tensor, float]:
    begin = time.perf_counter()
    with torch.inference_mode():
        found = layer(x[None], y[None])
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return found, time.perf_counter() - begin


def _resident(device: torch.device) -> float:
    """Return what is held now, in GiB: of the device, or of this process (Linux; else its peak so far)."""
    if device.type == "cuda":
        return torch.cuda.memory_allocated(device) / 2**30
    try:
        with open("/proc/self/status", encoding="ascii") as file:
            kib = next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))
    except OSError:
        return peak_gib(device)
    return kib / 2**20


__all__ = ["LmiTiming", "bench_lmi", "plain_local_mutual_information"]
