import numpy as np
import pytest
import torch

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.sampling.predictions import PREDICTIONS, target, to_epsilon, to_x0
from napari_vol2vol.sampling.schedules import make_schedule, timesteps


def test_vp_linear_is_the_cumulative_product_of_the_papers_betas():
    schedule = make_schedule("vp_linear", {"beta_start": 1e-4, "beta_end": 0.02, "timesteps": 1000})
    alpha_bar = np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))
    for i in (1, 250, 999, 1000):
        alpha, sigma = schedule(torch.tensor(i / 1000, dtype=torch.float64))
        assert float(alpha) ** 2 == pytest.approx(alpha_bar[i - 1], rel=1e-9)
        assert float(alpha) ** 2 + float(sigma) ** 2 == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("name", ["vp_linear", "vp_cosine"])
def test_schedules_start_at_the_volume_and_end_near_noise(name):
    schedule = make_schedule(name)
    alpha, sigma = schedule(torch.tensor([0.0, 1.0], dtype=torch.float64))
    assert float(alpha[0]) == pytest.approx(1)
    assert float(sigma[0]) == pytest.approx(0, abs=1e-9)
    assert float(alpha[1]) < 0.01


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_every_prediction_leads_back_to_x0_and_the_noise(prediction):
    x0, noise = torch.randn(2, 50, dtype=torch.float64)
    alpha, sigma = make_schedule("vp_cosine")(torch.tensor(0.4, dtype=torch.float64))
    x_t = alpha * x0 + sigma * noise
    x0_hat = to_x0(prediction, target(prediction, x0, noise, alpha, sigma), x_t, alpha, sigma)
    assert torch.allclose(x0_hat, x0)
    assert torch.allclose(to_epsilon(x0_hat, x_t, alpha, sigma), noise)


def test_unknown_names_and_parameters_are_refused():
    with pytest.raises(SettingsError, match="vp_cosine"):
        make_schedule("linear")
    with pytest.raises(SettingsError, match="gamma"):
        make_schedule("vp_linear", {"gamma": 1.0})


def test_times_run_from_one_to_zero():
    assert timesteps(4).tolist() == [1.0, 0.75, 0.5, 0.25, 0.0]
