"""One small operator of every kind, with the shape of its images: what the tests of all operators run on."""

from __future__ import annotations

import torch

from napari_vol2vol.physics.coil_maps import birdcage
from napari_vol2vol.physics.coil_sampling import CoilSampling
from napari_vol2vol.physics.fan_beam import FanBeam
from napari_vol2vol.physics.fourier_sampling import FourierSampling
from napari_vol2vol.physics.masks import poisson_disc, uniform_1d
from napari_vol2vol.physics.parallel_beam import ParallelBeam

CG = {"cg_steps": 3000, "cg_tolerance": 1e-11}


def angles(views, arc):
    return tuple(arc * i / views for i in range(views))


def random_mask(*shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(1)) < 0.4


PLANE = torch.from_numpy(poisson_disc((12, 16), 3, calibration=(3, 3)))
LINES = torch.from_numpy(uniform_1d((12, 16), 2, 0.2))

IMAGING_OPERATORS = {
    "parallel beam": (ParallelBeam((10, 12), angles(4, 180.0), **CG), (3, 10, 12)),
    "parallel beam, limited angle, narrow detector": (
        ParallelBeam((11, 9), angles(5, 70.0), bins=6, spacing=1.3, **CG), (2, 11, 9),
    ),
    "fan beam": (FanBeam((10, 12), angles(4, 310.0), source_distance=25.0, **CG), (3, 10, 12)),
    "2D Fourier, real": (FourierSampling(PLANE), (3, 12, 16)),
    "2D Fourier, complex": (FourierSampling(PLANE, complex_image=True), (2, 3, 12, 16)),
    "2D Fourier, a mask a slice, odd sizes": (FourierSampling(random_mask(3, 9, 7)), (3, 9, 7)),
    "3D Fourier, real": (FourierSampling(random_mask(6, 9, 8), dims=3), (6, 9, 8)),
    "3D Fourier, complex": (FourierSampling(random_mask(6, 9, 8), 3, True), (2, 6, 9, 8)),
    "no opposite frequencies": (FourierSampling(torch.eye(5, 8).bool().roll(2, 1)), (2, 5, 8)),
    "coils, complex": (
        CoilSampling(FourierSampling(LINES, complex_image=True), birdcage(4, (3, 12, 16)), **CG),
        (2, 3, 12, 16),
    ),
    "coils, real, plane maps": (
        CoilSampling(FourierSampling(LINES), birdcage(3, (1, 12, 16))[:, 0], **CG), (2, 12, 16),
    ),
    "coils, 3D": (
        CoilSampling(FourierSampling(random_mask(5, 6, 7), 3, True), birdcage(3, (5, 6, 7)), **CG),
        (2, 5, 6, 7),
    ),
}  # fmt: skip
