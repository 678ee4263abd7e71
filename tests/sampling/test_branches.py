"""A branch trained on another diffused variable gives the same estimate inside a run of this one."""

import pytest
import torch
from torch import nn

from napari_vol2vol.sampling.branches import Branch, Diffused, names_of, plane_model
from napari_vol2vol.sampling.latent import make_latent

SHAPE = (8, 6, 10)
MEAN, SD = 0.3, 0.4  # of the image, voxel by voxel


class GaussianNetwork(nn.Module):
    """The exact 2D denoiser of x ~ N(MEAN, SD^2), for any diffused variable that is affine in x."""

    def __init__(self, diffused, base):
        super().__init__()
        self.diffused, self.base = diffused, base

    def forward(self, x, t, label):
        d = self.diffused
        x_t, base = x[:, :1], x[:, 1:2]
        shift = base if d.what == "residual" else torch.zeros_like(base)
        mean, variance = (MEAN - shift) / d.scale, (SD / d.scale) ** 2
        alpha, sigma = (c.reshape(-1, 1, 1, 1) for c in d.schedule(t.double()))
        x0 = mean + alpha * variance / (alpha**2 * variance + sigma**2) * (x_t - alpha * mean)
        out = {"x0": x0, "epsilon": (x_t - alpha * x0) / sigma, "v": (alpha * x_t - x0) / sigma}
        return out[d.prediction], []


@pytest.fixture
def base():
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("own_prediction", ["v", "x0", "epsilon"])
@pytest.mark.parametrize("own_schedule", ["vp_cosine", "vp_linear"])
@pytest.mark.parametrize("t", [0.15, 0.5, 0.95])
def test_an_image_model_inside_a_residual_run_is_exact(base, own_prediction, own_schedule, t):
    """The posterior mean of x given x_t does not depend on which affine function of x is diffused."""
    shared = Diffused("residual", 0.2, "v")
    own = Diffused("image", 0.7, own_prediction, own_schedule)
    conditions = {"base": base}
    z_t = torch.randn(SHAPE, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    estimates = []
    for diffused in (shared, own):
        branch = Branch(GaussianNetwork(diffused, base), "axial", diffused)
        model = plane_model(branch, conditions, shared)
        with torch.inference_mode():
            estimates.append(model.x0_from(model(z_t, t).prediction, z_t, t))
    expected = _posterior_mean(z_t, t, shared, base)
    latent = make_latent("residual", shared.scale, conditions)
    assert torch.allclose(latent.decode(estimates[0]), expected, atol=1e-4)
    assert torch.allclose(latent.decode(estimates[1]), expected, atol=1e-4)


def _posterior_mean(z_t, t, shared, base):
    alpha, sigma = shared.coefficients(t, z_t)
    noisy = base + shared.scale * z_t / alpha  # = x + tau * noise
    tau = shared.scale * sigma / alpha
    return MEAN + SD**2 / (SD**2 + tau**2) * (noisy - MEAN)


def test_at_pure_noise_both_know_only_the_prior(base):
    shared, own = Diffused("residual", 0.2), Diffused("image", 0.7)
    model = plane_model(Branch(GaussianNetwork(own, base), "sagittal", own), {"base": base}, shared)
    z_t = torch.randn(SHAPE, dtype=torch.float64)
    x = make_latent("residual", 0.2, {"base": base}).decode(
        model.x0_from(model(z_t, 1.0).prediction, z_t, 1.0)
    )
    assert torch.allclose(x, torch.full(SHAPE, MEAN, dtype=torch.float64), atol=1e-4)


def test_a_branch_of_the_same_variable_is_not_carried_over(base):
    shared = Diffused("residual", 0.2)
    seen = []

    class Spy(GaussianNetwork):
        def forward(self, x, t, label):
            seen.append((x[:, 0].clone(), float(t[0])))
            return super().forward(x, t, label)

    model = plane_model(Branch(Spy(shared, base), "axial", Diffused("residual", 0.2)), {"base": base}, shared)
    z_t = torch.randn(SHAPE, dtype=torch.float64)
    model(z_t, 0.4)
    assert torch.equal(torch.cat([x for x, _ in seen]), z_t)
    assert seen[0][1] == pytest.approx(0.4)


def test_names_tell_branches_of_one_plane_apart(base):
    shared = Diffused()
    conditions = {"base": base, "T1ce": base}
    models = [
        plane_model(Branch(nn.Identity(), plane, shared, inputs), conditions, shared)
        for plane, inputs in (("axial", ("base",)), ("sagittal", ("base",)), ("axial", ("T1ce",)))
    ]
    assert names_of(models[:2]) == ["axial", "sagittal"]
    assert names_of(models) == ["axial (base)", "sagittal (base)", "axial (T1ce)"]
