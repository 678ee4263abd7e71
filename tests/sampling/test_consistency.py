import pytest
import torch

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.physics.admm_tv import AdmmTV
from napari_vol2vol.physics.fourier_sampling import FourierSampling
from napari_vol2vol.sampling.consistency import Corrected, ddnm, dds, diffusion_mbir, dps
from napari_vol2vol.sampling.corrections import white_posterior_gamma
from napari_vol2vol.sampling.samplers import get_sampler
from napari_vol2vol.sampling.schedules import make_schedule, timesteps
from physics.imaging_operators import IMAGING_OPERATORS
from sampling.gaussian import GaussianPrior, noise_source, smooth_covariance
from sampling.linear_posteriors import dense_normal, white_posterior

N, REPLICATES = 4, 6000
SCHEDULE = make_schedule("vp_cosine")
MEAN = torch.linspace(-0.5, 1, N * N, dtype=torch.float64).reshape(1, N, N)
#: Frequencies sampled alone, with their opposite, and neither: A^T A has the eigenvalues 1/2, 1 and 0.
SOME = FourierSampling(torch.tensor([[0, 0, 1, 0], [0, 1, 0, 0], [0, 1, 1, 1], [1, 0, 0, 1]]))
#: Every frequency with its opposite: A^T A is a projection.
PAIRS = FourierSampling(torch.tensor([[0, 0, 0, 0], [0, 1, 0, 0], [0, 1, 1, 1], [0, 0, 0, 1]]))
TRUTH = torch.randn(1, N, N, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
WHITE = GaussianPrior(MEAN, torch.eye(N * N), SCHEDULE)
SMOOTH = GaussianPrior(MEAN, smooth_covariance(N), SCHEDULE)


def observed(operator, sigma, seed=1):
    """One noisy measurement, repeated for all replicates."""
    g = torch.Generator().manual_seed(seed)
    y = operator(TRUTH)
    noise = torch.view_as_complex(torch.randn(*y.shape, 2, generator=g, dtype=torch.float64))
    return (y + sigma * operator.restrict(noise)).expand(REPLICATES, -1, -1)


def draw(denoiser, steps=200, eta=0.0, solver="ddim"):
    noise = noise_source((REPLICATES, N, N))
    *_, last = get_sampler(solver)(denoiser, noise(0), timesteps(steps), SCHEDULE, noise, eta=eta)
    return last.x0_hat


def close_to(samples, mean, covariance):
    """Whether mean and covariance of samples are those given, within their standard errors."""
    flat = samples.reshape(REPLICATES, -1)
    error = REPLICATES**-0.5
    assert torch.allclose(
        flat.mean(0), mean.reshape(-1), atol=5 * error * float(covariance.diag().max()) ** 0.5
    )
    assert (torch.cov(flat.T) - covariance).abs().max() < 7 * error + 0.02


@pytest.mark.parametrize("eta", [0.0, 1.0])
@pytest.mark.parametrize("sigma", [0.1, 0.7])
def test_dds_with_the_gamma_of_a_white_prior_samples_its_posterior(sigma, eta):
    y = observed(SOME, sigma)
    denoiser = dds(
        WHITE.denoiser, SOME, y, gamma=white_posterior_gamma(SCHEDULE, sigma), steps=9, tolerance=1e-8,
        slice_batch=REPLICATES,
    )  # fmt: skip
    mean, covariance = white_posterior(SOME, y[:1], sigma, MEAN)
    close_to(draw(denoiser, eta=eta), mean, covariance)


def test_dds_with_a_constant_gamma_ends_near_y_instead_of_the_posterior_mean():
    sigma, gamma, steps = 0.7, 0.3, 60
    y = observed(PAIRS, sigma)
    denoiser = dds(WHITE.denoiser, PAIRS, y, gamma=gamma, steps=9, tolerance=1e-8, slice_batch=REPLICATES)
    samples = draw(denoiser, steps).mean(0)
    exact, _ = white_posterior(PAIRS, y[:1], sigma, MEAN)
    seen = lambda x: PAIRS.normal(x[None])[0]  # noqa: E731 (the part that A sees)
    # what A sees follows x0_hat <- (y + gamma x0_hat) / (1 + gamma) at each step of DDIM
    x, target, prior = torch.zeros(N, N).double(), PAIRS.adjoint(y[:1])[0], seen(MEAN[0])
    alphas, sigmas = SCHEDULE(timesteps(steps))
    for a, s, a_next, s_next in zip(alphas, sigmas, alphas[1:], sigmas[1:], strict=False):
        estimate = (target + gamma * (prior + a * (x - a * prior))) / (1 + gamma)
        x = a_next * estimate + s_next * (x - a * estimate) / s
    assert torch.allclose(seen(samples), estimate, atol=0.05)
    bias = (seen(samples) - seen(exact[0])).norm()
    assert bias > 0.2 * seen(exact[0]).norm()
    assert (seen(samples) - target).norm() < 0.3 * bias
    assert torch.allclose(samples - seen(samples), MEAN[0] - prior, atol=0.08)


def test_ddnm_samples_the_posterior_of_a_white_prior_without_noise():
    y = observed(PAIRS, 0.0)
    samples = draw(ddnm(WHITE.denoiser, PAIRS, y, slice_batch=REPLICATES))
    assert torch.allclose(PAIRS(samples), y, atol=1e-9)
    hidden = torch.eye(N * N, dtype=torch.float64) - dense_normal(PAIRS, (1, N, N))
    mean = MEAN + PAIRS.pseudo_inverse(y[:1] - PAIRS(MEAN))
    close_to(samples, mean, hidden)


def test_ddnm_honours_y_but_not_the_correlations_of_the_prior():
    y = observed(PAIRS, 0.0)
    samples = draw(ddnm(SMOOTH.denoiser, PAIRS, y, slice_batch=REPLICATES)).mean(0)
    seen = dense_normal(PAIRS, (1, N, N))
    hidden = torch.eye(N * N, dtype=torch.float64) - seen
    c = SMOOTH.covariance
    gain = c @ seen @ torch.linalg.pinv(seen @ c @ seen)
    exact = MEAN.reshape(-1) + gain @ (PAIRS.adjoint(y[:1]) - PAIRS.normal(MEAN)).reshape(-1)
    assert torch.allclose(seen @ samples.reshape(-1), seen @ exact, atol=1e-8)
    bias = (hidden @ (samples.reshape(-1) - exact)).norm()
    unpulled = (hidden @ (MEAN.reshape(-1) - exact)).norm()
    assert 0.05 * unpulled < bias < unpulled  # better than not looking at y at all, yet biased


@pytest.mark.parametrize("sigma", [0.1, 0.7])
def test_dps_samples_the_posterior_of_a_white_prior_where_a_is_a_projection(sigma):
    y = observed(PAIRS, sigma)
    denoiser = dps(WHITE.denoiser, PAIRS, y, SCHEDULE, sigma=sigma, slice_batch=REPLICATES)
    mean, covariance = white_posterior(PAIRS, y[:1], sigma, MEAN)
    with torch.inference_mode():
        close_to(draw(denoiser), mean, covariance)


def test_dps_that_takes_its_estimate_for_certain_has_the_wrong_posterior():
    sigma = 1.0
    y = observed(PAIRS, sigma)
    samples = draw(
        dps(WHITE.denoiser, PAIRS, y, SCHEDULE, sigma=sigma, prior_variance=0.0, slice_batch=REPLICATES)
    )
    mean, covariance = white_posterior(PAIRS, y[:1], sigma, MEAN)
    seen = dense_normal(PAIRS, (1, N, N))
    spread = torch.trace(seen @ torch.cov(samples.reshape(REPLICATES, -1).T)) / torch.trace(seen @ covariance)
    assert float(spread) < 0.9  # too certain
    assert (seen @ (samples.mean(0) - mean[0]).reshape(-1)).norm() > 0.05


def test_dps_follows_the_gradient_through_the_prior():
    y = observed(SOME, 0.3)[:3]
    x_t, t = torch.randn(3, N, N, dtype=torch.float64), 0.6
    denoiser = dps(SMOOTH.denoiser, SOME, y, SCHEDULE, sigma=0.3, strength=0.5, slice_batch=2)
    alpha, noise = (float(v) for v in SCHEDULE(torch.tensor(t, dtype=torch.float64)))
    total = alpha**2 * SMOOTH.covariance + noise**2 * torch.eye(N * N, dtype=torch.float64)
    jacobian = alpha * torch.linalg.solve(total, SMOOTH.covariance)
    x0_hat = SMOOTH.denoiser(x_t, t)
    gradient = SOME.adjoint(SOME(x0_hat) - y).reshape(3, -1) @ jacobian.T
    pull = 0.5 * noise**2 / alpha / (0.3**2 + noise**2 / (alpha**2 + noise**2))
    assert torch.allclose(denoiser(x_t, t), x0_hat - pull * gradient.reshape(3, N, N))


def test_mbir_without_weight_samples_like_ddnm():
    operator, shape = IMAGING_OPERATORS["2D Fourier, real"]
    schedule_noise = noise_source(shape)
    y = operator(torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2)))

    def white(x_t, t):
        return float(SCHEDULE(torch.tensor(t, dtype=torch.float64))[0]) * x_t

    start, found = schedule_noise(0), {}
    for name, denoiser in {
        "ddnm": ddnm(white, operator, y),
        "mbir": diffusion_mbir(white, operator, y, AdmmTV(0.0, 0.1, (-3,), 60, 5)),
        "dds": dds(white, operator, y, steps=60),
    }.items():
        *_, last = get_sampler("ddim")(denoiser, start, timesteps(10), SCHEDULE, schedule_noise, eta=0.0)
        found[name] = last.x0_hat
    assert torch.allclose(found["dds"], found["ddnm"], atol=1e-4)
    assert torch.allclose(found["mbir"], found["ddnm"], atol=1e-5)


def test_a_corrected_denoiser_remembers_what_the_prior_said():
    denoiser = Corrected(lambda x_t, t: x_t + 1, lambda x0_hat, t: 10 * x0_hat)
    assert torch.equal(denoiser(torch.ones(1, 2, 2), 0.5), torch.full((1, 2, 2), 20.0))
    assert torch.equal(denoiser.take_prior_estimate(), torch.full((1, 2, 2), 2.0))
    with pytest.raises(SettingsError, match="prior estimate: found none"):
        denoiser.take_prior_estimate()
