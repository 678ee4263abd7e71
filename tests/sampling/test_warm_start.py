import pytest
import torch

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.sampling.samplers import Step
from napari_vol2vol.sampling.schedules import make_schedule, timesteps
from napari_vol2vol.sampling.warm_start import from_estimate, noise_between_ends, slerp, times_between

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
    assert torch.equal(step.x0_hat, times_between(50, 0.98))
    assert step.t == 0.85
    plain = from_estimate(recorded, estimate, interpolated=False)
    (step,) = plain(None, x, timesteps(50), SCHEDULE, None, eta=0.0)
    assert torch.allclose(step.x_t, alpha * estimate + sigma * x, atol=1e-6)


def test_an_estimate_may_be_computed_when_sampling_starts():
    estimate, x = torch.full((5, 8, 8), 3.0), torch.randn(5, 8, 8)
    (given,) = from_estimate(recorded, estimate)(None, x, timesteps(4), SCHEDULE, None, eta=0.85)
    (made,) = from_estimate(recorded, lambda: estimate)(None, x, timesteps(4), SCHEDULE, None, eta=0.85)
    assert torch.equal(given.x_t, made.x_t)


def test_the_times_are_those_of_the_authors_counted_from_0():
    times = times_between(50)
    assert times.tolist()[:2] == pytest.approx([0.98, 0.98 - 0.979 / 49])
    assert times.tolist()[-2:] == [0.001, 0.0]
    assert len(times) == 51


def test_a_power_crowds_the_times_at_low_noise_and_keeps_the_ends():
    even, crowded = times_between(20), times_between(20, power=3.0)
    assert crowded[[0, -2, -1]].tolist() == pytest.approx(even[[0, -2, -1]].tolist())
    assert (crowded.diff() < 0).all()
    assert int((crowded < 0.1).sum()) > 2 * int((even < 0.1).sum())


def test_times_and_powers_that_cannot_be_are_refused():
    with pytest.raises(SettingsError, match=r"t_end: found 0\.9, accepted are times above 0"):
        times_between(5, 0.5, 0.9)
    with pytest.raises(SettingsError, match=r"power: found 0\.5, accepted are 1"):
        times_between(5, power=0.5)


@pytest.mark.parametrize("t_start", [0.0, 1.2])
def test_a_start_outside_the_schedule_is_refused(t_start):
    with pytest.raises(SettingsError, match="t_start: found"):
        from_estimate(recorded, torch.zeros(1, 1, 1), t_start=t_start)
