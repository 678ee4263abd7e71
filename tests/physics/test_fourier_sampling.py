import pytest
import torch

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.physics.fourier import as_channels, as_complex, centred_fft, centred_ifft, magnitude
from napari_vol2vol.physics.fourier_sampling import FourierSampling, along_readout


@pytest.mark.parametrize("shape", [(4, 6, 8), (3, 5, 7)])
def test_the_centred_transform_is_unitary_and_centred(shape):
    x = torch.randn(shape, dtype=torch.complex128)
    k = centred_fft(x, (-2, -1))
    assert torch.allclose(k.norm(), x.norm())
    assert torch.allclose(centred_ifft(k, (-2, -1)), x)
    dot = torch.zeros(shape, dtype=torch.complex128)
    dot[:, shape[1] // 2, shape[2] // 2] = 1
    flat = centred_fft(dot, (-2, -1))
    assert torch.allclose(flat, flat[0, 0, 0].expand_as(flat))
    assert float(flat.imag.abs().max()) < 1e-12


def test_channels_and_complex_numbers_are_the_same():
    x = torch.randn(5, 2, 3, 4, 6)
    assert torch.equal(as_channels(as_complex(x)), x)
    assert torch.allclose(magnitude(x), as_complex(x).abs())


def test_a_full_mask_measures_everything():
    operator = FourierSampling(torch.ones(6, 8), complex_image=True)
    x = torch.randn(2, 3, 6, 8)
    assert operator.gain == 1
    assert torch.allclose(operator(x), centred_fft(as_complex(x), (-2, -1)), atol=1e-6)
    assert torch.allclose(operator.pseudo_inverse(operator(x)), x, atol=1e-5)


def test_a_real_image_is_known_from_half_of_its_frequencies():
    half = torch.zeros(9, 9)
    half[:, :5] = 1  # of each frequency and its opposite at least one
    x = torch.randn(2, 9, 9, dtype=torch.float64)
    real = FourierSampling(half)
    assert torch.allclose(real.pseudo_inverse(real(x)), x)


def test_k_space_is_zero_where_nothing_was_sampled():
    mask = torch.rand(6, 8) < 0.5
    operator = FourierSampling(mask)
    y = operator(torch.randn(3, 6, 8))
    assert float(y[:, ~mask].abs().max()) == 0
    assert torch.equal(operator.restrict(torch.ones_like(y))[0].real.bool(), mask)
    assert operator.acceleration == pytest.approx(48 / int(mask.sum()))


def test_a_volume_sampled_in_a_plane_falls_into_slices_along_its_readout():
    plane, volume = torch.rand(5, 8) < 0.5, torch.randn(6, 5, 8, dtype=torch.float64)
    three = FourierSampling(plane.expand(6, 5, 8), dims=3)
    two = FourierSampling(plane)
    hybrid = along_readout(three(volume) / three.gain, -3)
    assert torch.allclose(hybrid * two.gain, two(volume).to(hybrid))
    turned = FourierSampling(plane[:, None].expand(5, 6, 8), dims=3)
    hybrid = along_readout(turned(volume.movedim(0, 1)) / turned.gain, -2)
    assert torch.allclose(hybrid * two.gain, two(volume).to(hybrid))


def test_bad_masks_name_what_was_found():
    with pytest.raises(SettingsError, match="no sampled place"):
        FourierSampling(torch.zeros(4, 4))
    with pytest.raises(SettingsError, match=r"mask: found shape \(4,\)"):
        FourierSampling(torch.ones(4))
    with pytest.raises(SettingsError, match="dims: found 4"):
        FourierSampling(torch.ones(4, 4), dims=4)
    with pytest.raises(SettingsError, match="plane for dims 3"):
        FourierSampling(torch.ones(4, 4), dims=3)
    with pytest.raises(SettingsError, match=r"image: found \(4, 5\) voxels, accepted is the mask's \(4, 4\)"):
        FourierSampling(torch.ones(4, 4))(torch.zeros(2, 4, 5))
