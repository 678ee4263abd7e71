import torch

from napari_vol2vol.physics.coil_maps import birdcage
from napari_vol2vol.physics.coil_sampling import CoilSampling
from napari_vol2vol.physics.fourier import centred_fft, centred_ifft
from napari_vol2vol.physics.fourier_sampling import FourierSampling
from napari_vol2vol.physics.masks import uniform_1d
from napari_vol2vol.physics.noise import measured
from napari_vol2vol.physics.reconstructions import sense_cg, zero_filled

X = torch.randn(2, 2, 32, 32, generator=torch.Generator().manual_seed(0))
MASK = torch.from_numpy(uniform_1d((32, 32), 2, 0.25))
OPERATOR = CoilSampling(FourierSampling(MASK, complex_image=True), birdcage(6, (2, 32, 32)))


def test_zero_filling_keeps_the_units_of_the_image():
    full = CoilSampling(FourierSampling(torch.ones(32, 32), complex_image=True), birdcage(6, (2, 32, 32)))
    assert torch.allclose(zero_filled(full, full(X)), X, atol=1e-4)
    odd = FourierSampling(torch.eye(32).roll(1, 0))  # a gain above one
    assert odd.gain > 1
    x = torch.randn(3, 32, 32)
    expected = centred_ifft(odd.restrict(centred_fft(x, (-2, -1))), (-2, -1))
    assert torch.allclose(zero_filled(odd, odd(x)), expected.real, atol=1e-5)


def test_sense_unfolds_what_zero_filling_leaves_folded():
    y = OPERATOR(X)
    folded, unfolded = zero_filled(OPERATOR, y), sense_cg(OPERATOR, y, steps=60)
    assert (unfolded - X).norm() < 0.5 * (folded - X).norm()


def test_the_weight_solves_the_regularised_equations():
    y = measured(OPERATOR, X, 0.1)
    x = sense_cg(OPERATOR, y, steps=200, weight=0.05, tolerance=1e-7)
    gradient = OPERATOR.adjoint(OPERATOR(x) - y) + 0.05 * x
    assert gradient.abs().max() < 1e-5
