import numpy as np
import pytest
import torch

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.physics.hounsfield import WATER_PER_MM, to_attenuation, to_hounsfield


def test_water_is_zero_and_vacuum_minus_a_thousand():
    assert to_attenuation(0.0) == pytest.approx(WATER_PER_MM)
    assert to_attenuation(-1000.0) == 0
    assert to_hounsfield(0.0) == -1000


@pytest.mark.parametrize("kind", [np.asarray, torch.tensor])
def test_there_and_back_again(kind):
    hounsfield = kind([-1000.0, -120.0, 0.0, 40.0, 3000.0])
    back = to_hounsfield(to_attenuation(hounsfield, 0.02), 0.02)
    assert type(back) is type(hounsfield)
    assert np.allclose(back, hounsfield, atol=1e-3)


def test_water_must_attenuate():
    with pytest.raises(SettingsError, match="water_per_mm: found 0"):
        to_attenuation(1.0, 0.0)
