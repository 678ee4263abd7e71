import numpy as np
import pytest
import torch

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.phantoms.ellipses import random_ellipses, render, sinogram
from napari_vol2vol.physics.fan_beam import FanBeam
from napari_vol2vol.physics.filtered_back_projection import WINDOWS, filtered_back_projection
from napari_vol2vol.physics.parallel_beam import ParallelBeam

N = 64
ELLIPSES = random_ellipses(np.random.default_rng(3), "disc")
IMAGE = render(ELLIPSES, (N, N), oversampling=8)


def psnr(found):
    return 20 * np.log10(np.ptp(IMAGE) / np.sqrt(np.mean((found - IMAGE) ** 2)))


def reconstructed(views, arc=180.0, window="ramp", start=0.0):
    beam = ParallelBeam.evenly((N, N), views, arc_deg=arc, start_deg=start)
    exact = sinogram(ELLIPSES, (N, N), np.array(beam.angles_deg), beam.bins)
    y = torch.from_numpy(exact)[None] * beam.gain
    return filtered_back_projection(beam, y, window)[0].numpy()


def test_many_views_give_the_image_back_in_its_own_units():
    found = reconstructed(180)
    assert psnr(found) > 30
    inside = 0.05 * IMAGE.max() < IMAGE
    assert abs(found[inside].mean() / IMAGE[inside].mean() - 1) < 0.01


def test_fewer_views_are_worse():
    assert psnr(reconstructed(12)) + 6 < psnr(reconstructed(180))


@pytest.mark.parametrize(("arc", "start"), [(360.0, 0.0), (180.0, 200.0), (-180.0, 10.0)])
def test_it_does_not_matter_which_half_circle_or_whole_circle_was_measured(arc, start):
    assert psnr(reconstructed(120, arc, start=start)) > 29


def test_views_of_a_limited_angle_stand_for_themselves_alone():
    beam = ParallelBeam.evenly((N, N), 40, arc_deg=60.0)
    assert np.allclose(beam.view_weights, np.deg2rad(1.5))


def test_a_full_fan_gives_the_image_back():
    fan = FanBeam.evenly((N, N), 240, 100.0)
    y = fan(torch.from_numpy(IMAGE)[None])
    assert psnr(filtered_back_projection(fan, y)[0].numpy()) > 30


def test_slices_and_leading_axes_are_independent():
    beam = ParallelBeam.evenly((N, N), 20)
    y = torch.randn(2, 40, 20, beam.bins)
    whole = filtered_back_projection(beam, y)
    assert whole.shape == (2, 40, N, N)
    assert torch.allclose(whole[1, 39], filtered_back_projection(beam, y[1, 39:])[0], atol=1e-5)


@pytest.mark.parametrize("window", list(WINDOWS))
def test_windows_keep_the_mean_and_smooth_the_noise(window):
    beam = ParallelBeam.evenly((N, N), 90)
    noise = torch.randn(1, 90, beam.bins, generator=torch.Generator().manual_seed(0))
    found = filtered_back_projection(beam, noise, window)
    ramp = filtered_back_projection(beam, noise)
    assert found.std() <= ramp.std() * (1 + 1e-6)
    if window != "ramp":
        assert found.std() < 0.95 * ramp.std()
    assert abs(reconstructed(90, window=window).mean() / IMAGE.mean() - 1) < 0.01


def test_bad_requests_name_the_field():
    beam = ParallelBeam.evenly((N, N), 5)
    with pytest.raises(SettingsError, match="window: found 'boxcar', accepted are ramp"):
        filtered_back_projection(beam, torch.zeros(1, 5, beam.bins), "boxcar")
    with pytest.raises(SettingsError, match="sinogram: found"):
        filtered_back_projection(beam, torch.zeros(1, 6, beam.bins))
    short = FanBeam.evenly((N, N), 50, 100.0, arc_deg=200.0)
    with pytest.raises(SettingsError, match="360 degrees"):
        filtered_back_projection(short, torch.zeros(1, 50, short.bins))
