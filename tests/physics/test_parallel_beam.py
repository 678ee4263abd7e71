import numpy as np
import pytest
import torch

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.phantoms.ellipses import random_ellipses, render, sinogram
from napari_vol2vol.physics.parallel_beam import ParallelBeam

ELLIPSES = random_ellipses(np.random.default_rng(3), "disc")


def projected(beam, image):
    """Line integrals (views, bins) of an image."""
    return (beam(torch.from_numpy(image)[None].float())[0] / beam.gain).numpy()


def error(found, expected):
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


@pytest.mark.parametrize(("arc", "start", "spacing"), [(180, 0, 1.0), (360, 13, 1.0), (75, -40, 1.7)])
def test_sinograms_of_ellipses_are_the_analytic_ones(arc, start, spacing):
    beam = ParallelBeam.evenly((96, 96), 31, arc_deg=arc, start_deg=start, spacing=spacing)
    exact = sinogram(ELLIPSES, (96, 96), np.array(beam.angles_deg), beam.bins, spacing)
    assert error(projected(beam, render(ELLIPSES, (96, 96), oversampling=8)), exact) < 0.012


def test_the_error_of_the_discretisation_falls_with_the_pixel():
    errors = []
    for n in (48, 96):
        beam = ParallelBeam.evenly((n, n), 20)
        exact = sinogram(ELLIPSES, (n, n), np.array(beam.angles_deg), beam.bins)
        errors.append(error(projected(beam, render(ELLIPSES, (n, n), oversampling=8)), exact))
    assert errors[1] < 0.6 * errors[0]


def test_it_agrees_with_scikit_image():
    from skimage.transform import radon

    image = render(ELLIPSES, (95, 95), oversampling=8)
    angles = np.arange(0, 180, 11.0)
    beam = ParallelBeam((95, 95), tuple(angles), bins=95)
    assert error(projected(beam, image), radon(image, angles, circle=True).T) < 0.005


def test_every_view_holds_the_whole_mass():
    beam = ParallelBeam.evenly((33, 40), 17, spacing=0.7)
    image = np.random.default_rng(0).uniform(0, 1, (33, 40))
    mass = projected(beam, image).sum(1) * beam.spacing
    assert np.allclose(mass, image.sum(), rtol=1e-5)


def test_a_pixel_is_seen_where_x_and_y_say():
    image = np.zeros((21, 21))
    image[3, 15] = 1  # x = 5, y = 7
    beam = ParallelBeam((21, 21), (0.0, 90.0, 45.0), bins=31)
    middles = projected(beam, image) @ (np.arange(31) - 15)
    assert np.allclose(middles, [5, 7, 12 / 2**0.5], atol=0.01)


def test_a_narrow_detector_cuts_the_sinogram():
    image = render(ELLIPSES, (32, 32))
    wide, narrow = ParallelBeam((32, 32), (20.0,), bins=46), ParallelBeam((32, 32), (20.0,), bins=20)
    assert np.allclose(projected(wide, image)[:, 13:33], projected(narrow, image), atol=1e-4)


def test_all_slices_go_at_once_and_many_as_well_as_few():
    beam = ParallelBeam.evenly((12, 12), 7)
    volume = torch.randn(70, 12, 12)
    together = beam(volume)
    assert together.shape == (70, 7, beam.bins)
    assert torch.allclose(together[69], beam(volume[69:])[0], atol=1e-6)


def test_bad_geometries_name_the_field():
    with pytest.raises(SettingsError, match="views: found 0"):
        ParallelBeam.evenly((8, 8), 0)
    with pytest.raises(SettingsError, match="angles_deg"):
        ParallelBeam((8, 8), ())
    with pytest.raises(SettingsError, match=r"shape: found \(0, 8\)"):
        ParallelBeam((0, 8), (0.0,))
    with pytest.raises(SettingsError, match="spacing: found 0"):
        ParallelBeam((8, 8), (0.0,), spacing=0)
    with pytest.raises(SettingsError, match="bins: found -3"):
        ParallelBeam((8, 8), (0.0,), bins=-3)
    beam = ParallelBeam((8, 8), (0.0,))
    with pytest.raises(SettingsError, match=r"image: found slices of \(8, 9\) pixels, accepted is \(8, 8\)"):
        beam(torch.zeros(2, 8, 9))
    with pytest.raises(SettingsError, match="sinogram: found"):
        beam.adjoint(torch.zeros(2, 1, 3))
