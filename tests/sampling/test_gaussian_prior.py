"""The Gaussian model against dense matrices on a small grid."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_vol2vol.physics import BlockAverage
from napari_vol2vol.sampling.gaussian_prior import Known, Spectrum, cosines, gaussian_denoiser, transformed
from napari_vol2vol.sampling.samplers import SAMPLERS
from napari_vol2vol.sampling.schedules import timesteps, vp_cosine

SHAPE, FACTOR = (4, 6, 4), (2, 3, 2)
N = int(np.prod(SHAPE))
SPECTRA = [Spectrum(1.5), Spectrum(3.0, 2.5), Spectrum(1.5, plane="axial"), Spectrum(2.0, plane="sagittal")]


def covariance(spectrum):
    """Dense covariance (N, N), by pushing unit volumes through the cosine transform."""
    forth = [cosines(n) for n in SHAPE]
    unit = torch.eye(N, dtype=torch.float64).reshape(N, *SHAPE)
    coefficients = transformed(unit, forth) * spectrum.power(SHAPE)
    return transformed(coefficients, [m.T for m in forth]).reshape(N, N)


def averages():
    """Dense A (M, N)."""
    unit = torch.eye(N, dtype=torch.float64).reshape(N, *SHAPE)
    return BlockAverage(FACTOR)(unit).reshape(N, -1).T


@pytest.fixture
def known():
    generator = torch.Generator().manual_seed(2)
    return Known(torch.randn((2, 2, 2), generator=generator, dtype=torch.float64), FACTOR)


def posterior(c, a, y):
    """Mean and covariance of z ~ N(0, c) given a z = y."""
    gain = c @ a.T @ torch.linalg.inv(a @ c @ a.T)
    return gain @ y, c - gain @ a @ c


@pytest.mark.parametrize("spectrum", SPECTRA)
def test_a_voxel_has_unit_variance_on_average(spectrum):
    c = covariance(spectrum)
    assert float(c.diagonal().mean()) == pytest.approx(1)
    torch.testing.assert_close(c, c.T)


def test_a_model_of_one_plane_knows_nothing_of_the_next_slice():
    c = covariance(Spectrum(2.0, plane="coronal")).reshape(*SHAPE, *SHAPE)
    assert float(c[:, 1, :, :, 2, :].abs().max()) < 1e-12
    assert float(c[1, 1, 1, 2, 1, 1]) > 0.3


@pytest.mark.parametrize("spectrum", SPECTRA)
@pytest.mark.parametrize("t", [0.05, 0.5, 0.95])
def test_the_estimate_is_the_regression_of_the_dense_gaussian(spectrum, t):
    x_t = torch.randn(SHAPE, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    alpha, sigma = vp_cosine(torch.tensor(t, dtype=torch.float64))
    c = covariance(spectrum)
    noisy = alpha**2 * c + sigma**2 * torch.eye(N, dtype=torch.float64)
    wanted = alpha * c @ torch.linalg.solve(noisy, x_t.flatten())
    found = gaussian_denoiser(spectrum, SHAPE, vp_cosine)(x_t, t)
    torch.testing.assert_close(found.flatten(), wanted)


@pytest.mark.parametrize("spectrum", SPECTRA)
@pytest.mark.parametrize("t", [0.05, 0.5, 0.95])
def test_with_a_measurement_it_is_the_regression_on_both(spectrum, t, known):
    x_t = torch.randn(SHAPE, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    alpha, sigma = vp_cosine(torch.tensor(t, dtype=torch.float64))
    c = covariance(spectrum)
    seen = torch.cat([averages(), alpha * torch.eye(N, dtype=torch.float64)])
    noise = torch.diag(torch.cat([torch.zeros(8).double(), sigma.square().expand(N)]))
    values = torch.cat([known.y.flatten(), x_t.flatten()])
    wanted = c @ seen.T @ torch.linalg.solve(seen @ c @ seen.T + noise, values)
    found = gaussian_denoiser(spectrum, SHAPE, vp_cosine, known)(x_t, t)
    torch.testing.assert_close(found.flatten(), wanted, atol=1e-9, rtol=1e-7)
    torch.testing.assert_close(BlockAverage(FACTOR)(found), known.y)


def sampled(denoiser, steps, solver="ddim"):
    """Mean (N,) and covariance (N, N) of what DDIM makes of noise: an affine map, read off unit volumes."""
    start = torch.cat([torch.zeros(1, N, dtype=torch.float64), torch.eye(N, dtype=torch.float64)])
    *_, last = SAMPLERS[solver](
        denoiser, start.reshape(-1, *SHAPE), timesteps(steps), vp_cosine, lambda i: torch.zeros(())
    )
    ends = last.x0_hat.reshape(-1, N)
    spread = ends[1:] - ends[0]
    return ends[0], spread.T @ spread


def test_samples_have_the_mean_and_the_variance_of_the_exact_posterior(known):
    spectrum = Spectrum(1.5)
    mean, c = posterior(covariance(spectrum), averages(), known.y.flatten())
    found, spread = sampled(gaussian_denoiser(spectrum, SHAPE, vp_cosine, known), 400)
    torch.testing.assert_close(found, mean, atol=1e-6, rtol=0)
    torch.testing.assert_close(spread, c, atol=0.02, rtol=0)
    assert float(c.diagonal().min()) > 0.1
    few = sampled(gaussian_denoiser(spectrum, SHAPE, vp_cosine, known), 20)[1]
    assert (few - c).abs().max() > 2 * (spread - c).abs().max()  # it is the steps that it depends on


def test_without_a_measurement_samples_are_those_of_the_prior():
    spectrum = Spectrum(2.0, 1.5)
    mean, spread = sampled(gaussian_denoiser(spectrum, SHAPE, vp_cosine), 400)
    assert float(mean.abs().max()) < 1e-9
    torch.testing.assert_close(spread, covariance(spectrum), atol=0.03, rtol=0)
