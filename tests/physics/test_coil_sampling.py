import pytest
import torch

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.physics.coil_maps import birdcage
from napari_vol2vol.physics.coil_sampling import CoilSampling
from napari_vol2vol.physics.fourier import as_complex, centred_fft
from napari_vol2vol.physics.fourier_sampling import FourierSampling


def test_each_coil_sees_the_image_through_its_map():
    maps, mask = birdcage(3, (2, 8, 6)), torch.rand(8, 6) < 0.6
    operator = CoilSampling(FourierSampling(mask, complex_image=True), maps)
    x = torch.randn(2, 2, 8, 6)
    y = operator(x) / operator.gain
    assert y.shape == (3, 2, 8, 6)
    assert torch.allclose(y[1], centred_fft(maps[1] * as_complex(x), (-2, -1)) * mask, atol=1e-6)


def test_a_full_mask_and_normalised_maps_need_no_inverse():
    operator = CoilSampling(FourierSampling(torch.ones(8, 6), complex_image=True), birdcage(4, (2, 8, 6)))
    x = torch.randn(2, 2, 8, 6)
    assert operator.gain == pytest.approx(1, abs=1e-5)
    assert torch.allclose(operator.adjoint(operator(x)), x, atol=1e-5)


def test_coils_resolve_what_one_coil_cannot():
    lines = torch.zeros(16, 16)
    lines[:, ::2] = 1
    x = torch.randn(2, 1, 16, 16, dtype=torch.float64)
    one = FourierSampling(lines, complex_image=True)
    four = CoilSampling(one, birdcage(4, (1, 16, 16)), cg_steps=400, cg_tolerance=1e-9)
    assert (one.pseudo_inverse(one(x)) - x).norm() > 0.5 * x.norm()
    assert (four.pseudo_inverse(four(x)) - x).norm() < 1e-4 * x.norm()


def test_the_gain_of_a_tall_volume_comes_from_a_few_of_its_slices():
    maps, mask = birdcage(3, (40, 8, 8)), torch.rand(8, 8) < 0.6
    tall = CoilSampling(FourierSampling(mask, complex_image=True), maps)
    assert tall._few_slices().coil_maps.shape[1] == 8
    part = tall.at_slices(slice(3, 5))
    assert part.gain == tall.gain
    assert part.coil_maps.shape == (3, 2, 8, 8)


def test_bad_maps_name_what_was_found():
    sampling = FourierSampling(torch.ones(8, 6))
    with pytest.raises(SettingsError, match=r"coil_maps: found torch.float32 of shape \(3, 8, 6\)"):
        CoilSampling(sampling, torch.ones(3, 8, 6))
    with pytest.raises(SettingsError, match=r"slices of \(6, 8\) pixels, accepted is the mask's \(8, 6\)"):
        CoilSampling(sampling, torch.ones(3, 6, 8, dtype=torch.complex64))
