import numpy as np
import pytest
import torch

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.phantoms.ellipses import line_integrals, random_ellipses, render
from napari_vol2vol.physics.fan_beam import FanBeam
from napari_vol2vol.physics.parallel_beam import ParallelBeam

ELLIPSES = random_ellipses(np.random.default_rng(3), "disc")
N, FINE = 96, 8


def test_fan_sinograms_of_ellipses_are_the_analytic_ones():
    fan = FanBeam.evenly((N, N), 40, 130.0)
    image = torch.from_numpy(render(ELLIPSES, (N, N), oversampling=8))[None].float()
    u = ((np.arange(fan.bins * FINE) + 0.5) / FINE - fan.bins / 2)[None]
    beta, gamma = np.deg2rad(fan.angles_deg)[:, None], np.arctan2(u, fan.source_distance)
    lines = line_integrals(ELLIPSES, beta + gamma, u * np.cos(gamma) / (N / 2)) * (N / 2)
    exact = lines.reshape(40, fan.bins, FINE).mean(-1)
    found = (fan(image)[0] / fan.gain).numpy()
    assert np.linalg.norm(found - exact) < 0.012 * np.linalg.norm(exact)


def test_from_far_away_a_fan_is_parallel():
    angles = (0.0, 33.0, 120.0)
    image = torch.rand(1, 20, 24)
    fan, parallel = FanBeam((20, 24), angles, 32, source_distance=1e6), ParallelBeam((20, 24), angles, 32)
    assert torch.allclose(fan(image) / fan.gain, parallel(image) / parallel.gain, atol=1e-3)


def test_what_lies_nearer_to_the_source_casts_a_longer_shadow():
    fan = FanBeam((21, 21), (0.0,), 61, source_distance=30.0)
    image = torch.zeros(2, 21, 21)
    image[0, 0, 14], image[1, 20, 14] = 1, 1  # x = 4, at the top near the source and at the bottom
    shadow = fan(image)[:, 0]
    middles = (shadow * (torch.arange(61) - 30)).sum(-1) / shadow.sum(-1)
    assert torch.allclose(middles, torch.tensor([30 * 4 / 20, 30 * 4 / 40]), atol=0.02)


def test_the_default_detector_sees_the_whole_image():
    fan = FanBeam.evenly((30, 30), 12, 40.0)
    wide = FanBeam((30, 30), fan.angles_deg, fan.bins + 20, source_distance=40.0)
    image = torch.ones(1, 30, 30)
    assert torch.allclose(fan(image).sum() / fan.gain, wide(image).sum() / wide.gain, rtol=1e-4)


def test_a_source_inside_the_image_is_refused():
    with pytest.raises(SettingsError, match="source_distance: found 10"):
        FanBeam((20, 20), (0.0,), source_distance=10.0)
    with pytest.raises(SettingsError, match="views: found 0"):
        FanBeam.evenly((20, 20), 0, 100.0)
