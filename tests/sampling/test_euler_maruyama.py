import math
from itertools import pairwise

import pytest
import torch

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.sampling.euler_maruyama import euler_maruyama, predictor_corrector
from napari_vol2vol.sampling.samplers import ddpm
from napari_vol2vol.sampling.schedules import make_schedule, timesteps, variance_preserving
from sampling.gaussian import noise_source

MEAN, VARIANCE = 0.4, 0.7
VE = make_schedule("ve", {"sigma_min": 0.02, "sigma_max": 30.0})
SHAPE = (40, 40, 40)


def denoiser(x, t):
    """E[x_0 | x_t] of N(MEAN, VARIANCE)."""
    sigma = float(VE(torch.tensor(t, dtype=torch.float64))[1])
    return MEAN + VARIANCE / (VARIANCE + sigma**2) * (x - MEAN)


def started(seed=0):
    noise = noise_source(SHAPE, seed)
    sigma = float(VE(torch.tensor(1.0, dtype=torch.float64))[1])
    return MEAN + math.sqrt(VARIANCE + sigma**2) * noise(0), noise


def run(sampler, steps):
    x, noise = started()
    return list(sampler(denoiser, x, timesteps(steps), VE, noise))


def test_the_schedule_explodes_geometrically_and_never_shrinks_the_image():
    alpha, sigma = VE(torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64))
    assert alpha.tolist() == [1, 1, 1]
    torch.testing.assert_close(sigma, torch.tensor([0.02, math.sqrt(0.02 * 30), 30.0], dtype=torch.float64))
    a, s, norm = variance_preserving(alpha, sigma)
    torch.testing.assert_close(a**2 + s**2, torch.ones_like(a))
    torch.testing.assert_close(a * norm, alpha)


def test_each_step_follows_the_closed_form_of_a_gaussian():
    sigmas = VE(timesteps(12))[1].tolist()
    variance = VARIANCE + sigmas[0] ** 2
    steps = run(euler_maruyama, 12)
    for step, (now, after) in zip(steps, pairwise(sigmas), strict=True):
        assert float(step.x_t.mean()) == pytest.approx(MEAN, abs=5 * math.sqrt(variance / step.x_t.numel()))
        assert float(step.x_t.var()) == pytest.approx(variance, rel=0.03)
        epsilon = now**2 - after**2
        variance = (1 - epsilon / (VARIANCE + now**2)) ** 2 * variance + epsilon


def test_many_steps_end_at_the_prior():
    last = run(euler_maruyama, 400)[-1]
    sigma = float(VE(torch.tensor(last.t, dtype=torch.float64))[1])
    assert float(last.x_t.mean()) == pytest.approx(MEAN, abs=0.02)
    assert float(last.x_t.var()) == pytest.approx(VARIANCE + sigma**2, rel=0.03)


def test_a_corrector_takes_away_noise_that_a_coarse_predictor_leaves():
    def excess(sampler):
        steps = run(sampler, 15)
        sigmas = [float(VE(torch.tensor(s.t, dtype=torch.float64))[1]) for s in steps]
        return sum(float(s.x_t.var()) / (VARIANCE + v**2) - 1 for s, v in zip(steps, sigmas, strict=True))

    plain, once, twice = (excess(s) for s in (euler_maruyama, predictor_corrector(1), predictor_corrector(2)))
    assert plain > once > twice
    assert twice < 0.8 * plain


def test_the_ancestral_sampler_serves_the_schedule_too_and_is_exact_for_a_known_image():
    _, noise = started()
    known = torch.full(SHAPE, MEAN, dtype=torch.float64)
    steps = list(ddpm(lambda x, t: known, known + 30 * noise(1), timesteps(6), VE, noise))
    for step in steps:
        sigma = float(VE(torch.tensor(step.t, dtype=torch.float64))[1])
        assert float((step.x_t - known).std()) == pytest.approx(sigma, rel=0.03)


def test_a_schedule_that_shrinks_the_image_is_refused():
    x, noise = started()
    with pytest.raises(SettingsError, match="euler-maruyama accepts a variance-exploding one"):
        next(euler_maruyama(denoiser, x, timesteps(3), make_schedule("vp_cosine"), noise))
