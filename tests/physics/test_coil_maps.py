import sys

import pytest
import torch

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.physics.coil_maps import birdcage, espirit
from napari_vol2vol.physics.fourier import centred_fft


@pytest.mark.parametrize("rings", [1, 2])
def test_birdcage_maps_are_smooth_and_their_squares_add_up_to_one(rings):
    maps = birdcage(6, (8, 64, 60), rings=rings)
    assert maps.shape == (6, 8, 64, 60)
    assert maps.dtype == torch.complex64
    assert torch.allclose(maps.abs().square().sum(0), torch.tensor(1.0), atol=1e-5)
    assert maps.diff(dim=-1).abs().max() < 0.2


def test_each_coil_is_strongest_on_its_own_side():
    strength = birdcage(4, (1, 21, 21)).abs()[:, 0]
    assert [int(strength[:, *place].argmax()) for place in [(10, 20), (20, 10), (10, 0), (0, 10)]] == [
        0,
        1,
        2,
        3,
    ]


def test_two_rings_differ_along_z():
    strength = birdcage(8, (9, 16, 16), rings=2).abs().mean((-2, -1))
    assert strength[0, 0] > strength[0, -1]
    assert strength[1, 0] < strength[1, -1]


def test_a_coil_at_least_is_needed():
    with pytest.raises(SettingsError, match="coils, rings: found 0, 1"):
        birdcage(0, (1, 4, 4))
    with pytest.raises(SettingsError, match="coils, rings: found 2, 3"):
        birdcage(2, (1, 4, 4), rings=3)


def test_without_sigpy_the_error_says_what_would_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "sigpy.mri.app", None)
    with pytest.raises(SettingsError, match=r"needs sigpy.*coil maps from a file"):
        espirit(torch.zeros(2, 1, 32, 32, dtype=torch.complex64))


def test_espirit_wants_k_space_with_a_centre():
    with pytest.raises(SettingsError, match="at least 24 x 24"):
        espirit(torch.zeros(2, 1, 16, 32, dtype=torch.complex64))


@pytest.mark.filterwarnings("ignore")
def test_espirit_finds_the_maps_of_simulated_coils():
    pytest.importorskip("sigpy.mri.app")
    maps = birdcage(4, (2, 48, 48))
    y, x = torch.meshgrid(torch.linspace(-1, 1, 48), torch.linspace(-1, 1, 48), indexing="ij")
    inside = (y**2 + x**2 < 0.6).expand(2, 48, 48)
    kspace = centred_fft(maps * inside * (1 + 0.3 * torch.sin(9 * x)), (-2, -1))
    found = espirit(kspace)
    aligned = (found * found[:1].conj() / found[:1].abs().clamp(min=1e-6)) * maps[:1] / maps[:1].abs()
    assert (aligned - maps)[:, inside].abs().max() < 0.1
