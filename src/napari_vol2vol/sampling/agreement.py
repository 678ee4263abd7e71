"""Agreement: x̂0 is moved to share more information with a source of another modality, as a whole.

The maps that guide MIDiffusion are local and say where the source tells something, not what. The mutual
information of two whole volumes asks that equal intensities of the source become equal intensities of the
result (Viola and Wells 1997 register volumes by it); its gradient with respect to x̂0 has a closed form over a
joint histogram, so no network is asked again. Guiding a sampler by it is this project's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from napari_vol2vol.sampling.corrections import given_x_t
from napari_vol2vol.sampling.samplers import Denoiser
from napari_vol2vol.sampling.schedules import Schedule

#: Levels of the joint histogram over model space, [-1, 1]; the width of their kernel in distances of levels.
LEVELS, BANDWIDTH = 16, 1.0
#: No voxel moves by more than this times the root mean square of the step.
LARGEST = 3.0
#: Voxels whose weights for all levels are held at once.
CHUNK = 2**18
TINY = 1e-12


@dataclass(frozen=True)
class Agreement:
    """One step up the gradient of I(source; x̂0), shaped like x̂0, in model space.

    The root mean square of the step is ``weight`` times what a white prior of variance 1 leaves open at the
    time, so that it fades as the noise does: large while the layout is decided, nothing at the end.

    Parameters
    ----------
    source : Tensor, shape (D, H, W)
        In model space.
    scale : float
        Of the diffused variable: model space is ``scale * z``.
    """

    source: Tensor
    schedule: Schedule
    scale: float
    weight: float

    def __call__(self, z0_hat: Tensor, t: float) -> Tensor:
        """Return the moved estimate ``z0_hat`` `(D, H, W)`."""
        step = gradient(self.source, z0_hat * self.scale)
        size = step.square().mean().sqrt()
        if float(size) < TINY:  # nothing is shared, or all of it
            return z0_hat
        open_ = given_x_t(self.schedule, t, 1.0) ** 0.5
        moved: Tensor = z0_hat + (self.weight * open_) * (step / size).clamp(-LARGEST, LARGEST)
        return moved


def agreeing(denoiser: Denoiser, agreement: Agreement) -> Denoiser:
    """Return the denoiser whose every estimate is moved by ``agreement``."""
    return lambda x_t, t: agreement(denoiser(x_t, t), t)


def mutual_information(source: Tensor, x: Tensor) -> Tensor:
    """Return I(source; x) in nats of the smoothed joint histogram, a scalar."""
    joint = _joint(source, x)
    return (joint * _log_ratio(joint)).sum()


def gradient(source: Tensor, x: Tensor) -> Tensor:
    """Return the gradient of `mutual_information` with respect to ``x``, times the number of voxels.

    With p(a, b) the mean of w_a(s_i) w_b(x_i) over voxels i, N dI/dx_i is
    ``sum_ab w_a(s_i) ln(p(a, b) / p(a) p(b)) dw_b/dx(x_i)``. Values beyond
    [-1, 1] count as the ends and have none.
    """
    told = _log_ratio(_joint(source, x))
    out = torch.empty(x.numel(), dtype=torch.float32, device=x.device)
    grid, h = _grid(x)
    for part, s, v in _chunks(source, x):
        distance = (grid - v) / h**2
        weights = _weights(v, grid, h)
        slope = weights * (distance - (weights * distance).sum(1, keepdim=True))
        inside = (v[:, 0] > -1) & (v[:, 0] < 1)
        out[part] = (_weights(s, grid, h) @ told * slope).sum(1) * inside
    return out.reshape(x.shape)


def _joint(source: Tensor, x: Tensor) -> Tensor:
    """Return p(a, b), `(LEVELS, LEVELS)`."""
    grid, h = _grid(x)
    total = torch.zeros(LEVELS, LEVELS, device=x.device)
    for _, s, v in _chunks(source, x):
        total += _weights(s, grid, h).T @ _weights(v, grid, h)
    return total / x.numel()


def _log_ratio(joint: Tensor) -> Tensor:
    apart = joint.sum(1, keepdim=True) * joint.sum(0, keepdim=True)
    return ((joint + TINY) / (apart + TINY)).log()


def _grid(like: Tensor) -> tuple[Tensor, float]:
    return torch.linspace(-1, 1, LEVELS, device=like.device), BANDWIDTH * 2 / (LEVELS - 1)


def _weights(values: Tensor, grid: Tensor, h: float) -> Tensor:
    """Return how much each value `(n, 1)` counts for each level, `(n, LEVELS)`."""
    return torch.softmax(((grid - values) / h).square().mul(-0.5), dim=1)


def _chunks(source: Tensor, x: Tensor) -> Iterator[tuple[slice, Tensor, Tensor]]:
    """Yield a few voxels at a time, source and x as `(n, 1)` within the levels."""
    flat = [v.reshape(-1, 1).float() for v in (source, x)]
    for start in range(0, x.numel(), CHUNK):
        part = slice(start, start + CHUNK)
        s, v = (values[part].clamp(-1, 1) for values in flat)
        yield part, s, v


__all__ = ["Agreement", "agreeing", "gradient", "mutual_information"]
