import pytest
import torch

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.physics import BlockAverage
from napari_vol2vol.sampling.consistency import projected
from napari_vol2vol.sampling.denoisers import averaged
from napari_vol2vol.sampling.samplers import SAMPLERS, get_sampler
from napari_vol2vol.sampling.schedules import make_schedule, timesteps
from sampling.gaussian import GaussianPrior, moments, noise_source, smooth_covariance

REPLICATES, N = 6000, 4


def draw(denoiser, solver, schedule, steps, seed=0, replicates=REPLICATES, **options):
    noise = noise_source((replicates, N, N), seed)
    *_, last = get_sampler(solver)(denoiser, noise(0), timesteps(steps), schedule, noise, **options)
    return last.x0_hat


def prior(schedule_name="vp_cosine"):
    mean = torch.linspace(-1, 2, N * N, dtype=torch.float64)
    return GaussianPrior(mean, smooth_covariance(N), make_schedule(schedule_name))


@pytest.mark.parametrize("schedule", ["vp_cosine", "vp_linear"])
@pytest.mark.parametrize(("solver", "steps", "options"), [
    ("ddim", 300, {"eta": 0.0}), ("ddim", 600, {"eta": 1.0}), ("ddim", 400, {"eta": 0.5}), ("ddpm", 600, {}),
    ("dpmpp_2m", 100, {}),
])  # fmt: skip
def test_samples_have_the_mean_and_covariance_of_a_gaussian_prior(solver, steps, options, schedule):
    exact = prior(schedule)
    samples = draw(exact.denoiser, solver, exact.schedule, steps, **options).reshape(REPLICATES, -1)
    standard_error = REPLICATES**-0.5
    assert torch.allclose(samples.mean(0), exact.mean, atol=5 * standard_error)
    found = torch.cov(samples.T)
    assert (found - exact.covariance).abs().max() < 7 * standard_error + 0.02


@pytest.mark.parametrize("solver", list(SAMPLERS))
def test_projection_gives_the_exact_posterior_of_a_white_prior(solver):
    schedule = make_schedule("vp_cosine")
    operator = BlockAverage((1, 2, 2))
    white = GaussianPrior(torch.full((N * N,), 0.3), torch.eye(N * N), schedule)
    truth = torch.randn(1, N, N, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    y = operator(truth).expand(REPLICATES, -1, -1)
    samples = draw(projected(white.denoiser, operator, y), solver, schedule, 250)
    assert torch.allclose(operator(samples), y, atol=1e-9)
    # posterior: mean + A^+ (y - A mean), variance 1 - diag(A^+ A) = 3 / 4 in every voxel
    mean, variance = moments(samples)
    prior_mean = torch.full((1, N, N), 0.3, dtype=torch.float64)
    expected = (prior_mean + operator.pseudo_inverse(operator(truth) - operator(prior_mean)))[0].numpy()
    assert abs(mean - expected).max() < 5 * (0.75 / REPLICATES) ** 0.5
    assert abs(variance.mean() / 0.75 - 1) < 0.03


def test_averaging_estimates_keeps_the_variance_of_samples():
    exact = prior()
    both = averaged({"a": exact.denoiser, "b": exact.denoiser, "c": exact.denoiser})
    samples = draw(both, "ddpm", exact.schedule, 400)
    assert abs(samples.var(0).mean() / exact.covariance.diag().mean() - 1) < 0.03


def test_averaging_noisy_samples_of_three_planes_would_shrink_the_deviation_to_0_58():
    exact = prior()
    runs = [draw(exact.denoiser, "ddpm", exact.schedule, 200, seed=s) for s in range(3)]
    shrunk = torch.stack(runs).mean(0).std(0).mean() / exact.covariance.diag().sqrt().mean()
    assert abs(float(shrunk) - 3**-0.5) < 0.02


def test_ddpm_is_ddim_with_eta_one():
    exact = prior()
    a = draw(exact.denoiser, "ddpm", exact.schedule, 20, seed=3)
    b = draw(exact.denoiser, "ddim", exact.schedule, 20, seed=3, eta=1.0)
    assert torch.allclose(a, b, atol=1e-9)


def test_dpmpp_2m_is_more_accurate_than_ddim_at_the_same_number_of_calls():
    exact = prior("vp_linear")
    fine = draw(exact.denoiser, "ddim", exact.schedule, 2000, replicates=200)
    error = {
        s: (draw(exact.denoiser, s, exact.schedule, 20, replicates=200) - fine).square().mean()
        for s in ("ddim", "dpmpp_2m")
    }
    assert error["dpmpp_2m"] < 0.5 * error["ddim"]


def test_an_unknown_solver_is_named_with_those_that_exist():
    with pytest.raises(SettingsError, match=r"'magic'.*ddim"):
        get_sampler("magic")
