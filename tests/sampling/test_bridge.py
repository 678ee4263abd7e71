"""The bridge of I2SB against jointly Gaussian pairs, for which everything is known in closed form.

With ``s(t) = sigma_fwd(t)^2``, ``S = s(1)`` and ``u = s / S``, a point on the bridge is
``x_t = (1 - u) x_0 + u x_1 + sqrt(S u (1 - u)) eps`` (eq. 11). Given x_1, x_0 is N(mu, V); so the optimal
denoiser is ``E[x_0 | x_t, x_1] = mu + V ((1 - u) V + S u I)^-1 (x_t - (1 - u) mu - u x_1)``.
"""

import pytest
import torch

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.physics import BlockAverage
from napari_vol2vol.sampling.bridge import (
    BRIDGE_SAMPLERS,
    bridge_denoiser,
    make_bridge,
    ode,
    on_bridge,
    posterior,
    symmetric,
    target,
)
from napari_vol2vol.sampling.consistency import projected
from napari_vol2vol.sampling.denoisers import averaged
from napari_vol2vol.sampling.schedules import timesteps
from sampling.gaussian import noise_source, smooth_covariance

REPLICATES, N = 6000, 4
BRIDGE = make_bridge("i2sb")
TOTAL = float(BRIDGE(torch.tensor(1.0, dtype=torch.float64))[0]) ** 2


def share(t):
    return float(BRIDGE(torch.tensor(t, dtype=torch.float64))[0]) ** 2 / TOTAL


class GaussianPair:
    """x_0 ~ N(mean, C), x_1 = x_0 + N(0, noise^2 I); x_1 is fixed and every replicate starts from it."""

    def __init__(self, noise=0.6):
        generator = torch.Generator().manual_seed(3)
        eye = torch.eye(N * N, dtype=torch.float64)
        self.prior_mean = torch.linspace(-1, 2, N * N, dtype=torch.float64)
        covariance = smooth_covariance(N)
        gain = torch.linalg.solve(covariance + noise**2 * eye, covariance)
        self.x1 = self.prior_mean + 0.5 * torch.randn(N * N, generator=generator, dtype=torch.float64)
        self.mean = self.prior_mean + (self.x1 - self.prior_mean) @ gain
        self.covariance = covariance - covariance @ gain

    def start(self, replicates=REPLICATES):
        return self.x1.reshape(1, N, N).expand(replicates, N, N)

    def denoiser(self, x_t, t):
        u, eye = share(t), torch.eye(N * N, dtype=torch.float64)
        gain = torch.linalg.solve((1 - u) * self.covariance + TOTAL * u * eye, self.covariance)
        centred = x_t.reshape(len(x_t), -1) - (1 - u) * self.mean - u * self.x1
        return (self.mean + centred @ gain).reshape(x_t.shape)


def last(sampler, denoiser, start, steps, seed=0):
    *_, step = sampler(denoiser, start, timesteps(steps), BRIDGE, noise_source(tuple(start.shape), seed))
    return step.x0_hat


def test_the_schedule_is_pinned_symmetric_and_that_of_the_paper():
    t = torch.linspace(0, 1, 1001, dtype=torch.float64)
    fwd, bwd = symmetric(t)
    assert float(fwd[0]) == float(bwd[-1]) == 0
    assert torch.allclose(fwd, bwd.flip(0), rtol=0, atol=1e-12)
    assert torch.allclose(fwd.square() + bwd.square(), fwd[-1].square().expand(1001), rtol=1e-12)
    betas = fwd.square().diff()
    assert float(betas[0]) == pytest.approx(0.1 / 1000)
    assert float(betas.max()) == pytest.approx((0.1**0.5 + (0.3**0.5 - 0.1**0.5) * 499 / 999) ** 2 / 1000)
    assert int(betas.argmax()) in (499, 500)


def test_the_marginals_of_the_bridge_are_its_end_points_at_both_ends():
    generator = torch.Generator().manual_seed(0)
    x0, x1, noise = (torch.randn(5, generator=generator, dtype=torch.float64) for _ in range(3))
    for t, end in ((0.0, x0), (1.0, x1)):
        assert torch.equal(on_bridge(x0, x1, noise, *BRIDGE(torch.tensor(t, dtype=torch.float64))), end)


@pytest.mark.parametrize("t", [0.05, 0.5, 0.9])
def test_the_target_is_what_gives_x0_back(t):
    generator = torch.Generator().manual_seed(0)
    x0, x1, noise = (torch.randn(2, 3, 4, generator=generator, dtype=torch.float64) for _ in range(3))
    sigmas = BRIDGE(torch.tensor(t, dtype=torch.float64))
    x_t = on_bridge(x0, x1, noise, *sigmas)
    assert torch.allclose(target(x0, x1, noise, *sigmas), (x_t - x0) / sigmas[0])


def test_the_target_is_finite_where_the_bridge_begins():
    x0, x1, noise = torch.zeros(3), torch.ones(3), torch.full((3,), 0.7)
    assert torch.allclose(target(x0, x1, noise, *BRIDGE(torch.tensor(0.0))), noise)


def test_a_posterior_step_leads_from_one_marginal_of_the_bridge_to_the_next():
    """With the true x_0 in place of x̂_0, x_t stays on the bridge (eq. 4): its mean and variance at each t."""
    x0, x1 = torch.full((40_000,), -1.0, dtype=torch.float64), torch.full((40_000,), 2.0, dtype=torch.float64)
    noise = noise_source((40_000,))
    for step in posterior(lambda x, t: x0, x1, timesteps(5), BRIDGE, noise):
        u = share(step.t)
        assert abs(float(step.x_t.mean()) - (-1 + 3 * u)) < 5 * (TOTAL * u * (1 - u) / 40_000) ** 0.5 + 1e-12
        assert float(step.x_t.var()) == pytest.approx(TOTAL * u * (1 - u), rel=0.04, abs=1e-12)


def test_posterior_sampling_has_the_conditional_mean_and_covariance_of_x0_given_x1():
    pair = GaussianPair()
    samples = last(posterior, pair.denoiser, pair.start(), 400).reshape(REPLICATES, -1)
    deviation = pair.covariance.diag().sqrt()
    assert ((samples.mean(0) - pair.mean).abs() < 5 * deviation * REPLICATES**-0.5).all()
    found = torch.cov(samples.T)
    scale = float(pair.covariance.diag().max())
    assert float((found - pair.covariance).abs().max()) < (5 * REPLICATES**-0.5 + 0.02) * scale
    assert float(found.trace() / pair.covariance.trace()) == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("steps", [1, 3, 50])
def test_the_ode_lands_exactly_at_the_conditional_mean_with_any_number_of_steps(steps):
    """At u = 1, x = x_1 is the mean ``m_u = (1 - u) mu + u x_1`` of x_t given x_1, where x̂_0 is mu.

    One step to u' gives ``mu + (u' / u) (m_u - mu) = m_u'``: the path never leaves the means, and ends at
    mu = E[x_0 | x_1]. So the deterministic variant with x_1 as condition is a regression, by theory.
    """
    pair = GaussianPair()
    found = last(ode, pair.denoiser, pair.start(3), steps)
    assert torch.allclose(found.reshape(3, -1), pair.mean.expand(3, -1), atol=1e-12)


def test_the_ode_without_x1_as_condition_is_the_transport_map_between_the_marginals():
    """The OT-ODE: noise-free bridges ``x_t = (1 - u) x_0 + u x_1``, denoised from x_t alone.

    For x_0 ~ N(m, s^2) and x_1 = x_0 + N(0, r^2), ``var(x_t) = s^2 + u^2 r^2`` and
    ``E[x_0 | x_t] = m + s^2 / (s^2 + u^2 r^2) (x_t - m)``, hence
    ``d ln(x - m) / du = u r^2 / (s^2 + u^2 r^2) = d ln sqrt(s^2 + u^2 r^2) / du``: the end of the path is
    ``m + s / sqrt(s^2 + r^2) (x_1 - m)``, the optimal map from N(m, s^2 + r^2) to N(m, s^2).
    """
    m, s, r = 0.4, 0.5, 0.8
    x1 = torch.linspace(-3, 3, 16, dtype=torch.float64).reshape(1, 4, 4)

    def denoiser(x_t, t):
        return m + s**2 / (s**2 + share(t) ** 2 * r**2) * (x_t - m)

    expected = m + s / (s**2 + r**2) ** 0.5 * (x1 - m)
    errors = [float((last(ode, denoiser, x1, steps) - expected).abs().max()) for steps in (50, 100, 2000)]
    assert errors[2] < 2e-3
    assert errors[1] < 0.6 * errors[0], "first order in the number of steps"


@pytest.mark.parametrize("solver", list(BRIDGE_SAMPLERS))
def test_with_a_projection_the_result_obeys_the_measurement(solver):
    pair, operator = GaussianPair(), BlockAverage((1, 2, 2))
    y = operator(pair.mean.reshape(1, N, N) + 1).expand(20, -1, -1)
    samples = last(BRIDGE_SAMPLERS[solver], projected(pair.denoiser, operator, y), pair.start(20), 30)
    assert torch.allclose(operator(samples), y, atol=1e-12)


def test_averaging_planes_that_agree_changes_no_sample():
    pair = GaussianPair()
    both = averaged({"axial": pair.denoiser, "sagittal": pair.denoiser})
    one, two = (last(posterior, denoiser, pair.start(8), 20) for denoiser in (pair.denoiser, both))
    assert torch.allclose(one, two, atol=1e-12)


def test_the_noise_of_the_posterior_is_the_banks_and_the_ode_draws_none():
    pair = GaussianPair()
    a, b, c = (last(posterior, pair.denoiser, pair.start(2), 5, seed) for seed in (1, 1, 2))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)
    assert torch.equal(*(last(ode, pair.denoiser, pair.start(2), 5, seed) for seed in (1, 2)))


@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
def test_the_denoiser_of_a_plane_inverts_the_target(plane):
    """A network that knows x_0 and outputs the target (eq. 12) is turned back into x_0."""
    generator = torch.Generator().manual_seed(0)
    x_t, x0 = torch.randn(4, 5, 6, generator=generator), torch.randn(4, 5, 6, generator=generator)

    def network(x, t, label):
        sigma_fwd = BRIDGE(t)[0][:, None, None, None]
        return (x[:, :1] - x[:, 1:]) / sigma_fwd, []

    found = bridge_denoiser(network, x0[None], plane, BRIDGE, slice_batch=3)(x_t, 0.7)
    assert torch.allclose(found, x0, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("magic", {}, "bridge schedule: found 'magic', accepted are i2sb"),
        ("i2sb", {"gamma": 1.0}, "bridge schedule i2sb: .*gamma"),
        ("i2sb", {"timesteps": 7}, "timesteps: found 7, accepted are even"),
    ],
)
def test_a_wrong_bridge_is_named(name, parameters, message):
    with pytest.raises(SettingsError, match=message):
        make_bridge(name, parameters)
