import pytest
import torch

from napari_vol2vol.sampling.consistency import Corrected
from napari_vol2vol.sampling.dds_ddim import dds_ddim
from napari_vol2vol.sampling.samplers import ddim
from napari_vol2vol.sampling.schedules import make_schedule, timesteps
from sampling.gaussian import GaussianPrior, noise_source

SCHEDULE = make_schedule("vp_linear")
SHAPE = (20000, 2, 2)
MEAN = torch.tensor([-1.0, 0.0, 0.5, 2.0], dtype=torch.float64)
PRIOR = GaussianPrior(MEAN, torch.eye(4), SCHEDULE)


def draw(denoiser, steps, eta, t_start=1.0, sampler=dds_ddim):
    noise = noise_source(SHAPE)
    *_, last = sampler(denoiser, noise(0), timesteps(steps, t_start), SCHEDULE, noise, eta=eta)
    return last.x0_hat


def test_without_fresh_noise_it_is_ddim():
    assert torch.allclose(
        draw(PRIOR.denoiser, 20, 0.0), draw(PRIOR.denoiser, 20, 0.0, sampler=ddim), atol=1e-9
    )


@pytest.mark.parametrize("steps", [50, 300])
def test_it_keeps_the_mean_and_loses_the_variance_that_theory_says(steps):
    samples, eta = draw(PRIOR.denoiser, steps, 0.85), 0.85
    kept = (1 - eta**2) ** 0.5
    alphas, sigmas = (v.tolist() for v in SCHEDULE(timesteps(steps)))
    variance = 1.0
    for a, s, a_next, s_next in list(zip(alphas, sigmas, alphas[1:], sigmas[1:], strict=False))[:-1]:
        variance = (a * a_next + kept * s * s_next) ** 2 * variance + (eta * s_next) ** 2
    variance *= alphas[-2] ** 2
    assert torch.allclose(samples.mean(0).reshape(-1), MEAN, atol=0.03)
    assert float(samples.var(0).mean()) == pytest.approx(variance, rel=0.02)
    assert variance == pytest.approx((1 + kept) / 2, abs={50: 0.08, 300: 0.02}[steps])


def test_the_noise_is_that_of_the_estimate_before_the_correction():
    times = timesteps(2)
    x = torch.ones(1, 1, 1, dtype=torch.float64)
    corrected = Corrected(lambda x_t, t: 0 * x_t + 0.2, lambda x0_hat, t: x0_hat + 0.5)
    steps = list(dds_ddim(corrected, x, times, SCHEDULE, lambda i: 0 * x, eta=0.0))
    (a, _, _), (s, _, _) = (v.tolist() for v in SCHEDULE(times))
    a_next, s_next = (float(v[1]) for v in SCHEDULE(times))
    assert float(steps[1].x_t) == pytest.approx(a_next * 0.7 + s_next * (1 - a * 0.2) / s)


def test_all_noise_is_fresh_at_eta_one():
    x = torch.ones(1, 1, 1, dtype=torch.float64)
    steps = list(dds_ddim(lambda x_t, t: 0 * x_t, x, timesteps(2), SCHEDULE, lambda i: 3 * x, eta=1.0))
    assert float(steps[1].x_t) == pytest.approx(3 * float(SCHEDULE(timesteps(2))[1][1]))
