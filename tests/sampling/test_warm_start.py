import pytest
import torch

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.sampling.samplers import Step
from napari_vol2vol.sampling.schedules import make_schedule, timesteps
from napari_vol2vol.sampling.warm_start import from_estimate, noise_between_ends, slerp

SCHEDULE = make_schedule("vp_linear")


def test_the_noise_of_the_end_slices_is_the_drawn_one_and_all_slices_are_standard_normal():
    drawn = torch.randn(9, 64, 64, generator=torch.Generator().manual_seed(0))
    noise = noise_between_ends(drawn)
    assert torch.allclose(noise[0], drawn[0], atol=1e-6)
    assert torch.allclose(noise[-1], drawn[-1], atol=1e-6)
    assert torch.allclose(noise.std((1, 2)), torch.tensor(1.0), atol=0.04)
    straight = torch.lerp(drawn[0], drawn[-1], 0.5)
    assert straight.std() < 0.75


def test_neighbouring_slices_have_similar_noise():
    noise = noise_between_ends(torch.randn(9, 64, 64))
    flat = noise.reshape(9, -1)
    similarity = torch.nn.functional.cosine_similarity(flat[:1], flat, dim=1)
    assert (similarity.diff() < 0).all()
    assert float(similarity[1]) > 0.95


def test_one_slice_and_complex_images_have_their_noise_too():
    one = torch.randn(1, 8, 8)
    assert torch.allclose(noise_between_ends(one), one)
    both = noise_between_ends(torch.randn(2, 5, 8, 8))
    assert both.shape == (2, 5, 8, 8)


def test_slerp_of_equal_tensors_is_that_tensor():
    x = torch.randn(3, 4)
    assert torch.allclose(slerp(x, x, torch.tensor(0.3)), x)


def recorded(denoiser, x, times, schedule, noise, *, eta):
    yield Step(eta, x, times)


def test_sampling_starts_from_the_noisy_estimate_at_its_own_time():
    estimate, x = torch.full((5, 8, 8), 3.0), torch.randn(5, 8, 8)
    sampler = from_estimate(recorded, estimate, t_start=0.98)
    (step,) = sampler(None, x, timesteps(50), SCHEDULE, None, eta=0.85)
    alpha, sigma = (float(v) for v in SCHEDULE(torch.tensor(0.98, dtype=torch.float64)))
    assert torch.allclose(step.x_t, alpha * estimate + sigma * noise_between_ends(x), atol=1e-6)
    assert torch.allclose(step.x0_hat, timesteps(50, 0.98))
    assert step.t == 0.85
    plain = from_estimate(recorded, estimate, interpolated=False)
    (step,) = plain(None, x, timesteps(50), SCHEDULE, None, eta=0.0)
    assert torch.allclose(step.x_t, alpha * estimate + sigma * x, atol=1e-6)


@pytest.mark.parametrize("t_start", [0.0, 1.2])
def test_a_start_outside_the_schedule_is_refused(t_start):
    with pytest.raises(SettingsError, match="t_start: found"):
        from_estimate(recorded, torch.zeros(1, 1, 1), t_start=t_start)
