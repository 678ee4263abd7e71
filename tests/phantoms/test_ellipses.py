import numpy as np
import pytest

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.phantoms.ellipses import (
    RECIPES,
    Ellipses,
    line_integrals,
    phantom,
    random_ellipses,
    render,
    sinogram,
)


def one(value=2.0, axes=(0.5, 0.25), centre=(0.2, -0.1), angle=0.4):
    return Ellipses(np.array([value]), np.array([axes]), np.array([centre]), np.array([angle]))


def test_an_ellipse_has_its_area_centre_and_slope():
    image = render(one(), (200, 200), oversampling=4)
    assert image.sum() == pytest.approx(2 * np.pi * 0.5 * 0.25 * 100**2, rel=1e-3)
    x, y = (np.arange(200) - 99.5) / 100, (99.5 - np.arange(200)) / 100
    cx, cy = (image.sum(0) @ x) / image.sum(), (image.sum(1) @ y) / image.sum()
    assert (cx, cy) == pytest.approx((0.2, -0.1), abs=1e-3)
    dx, dy = x[None] - cx, y[:, None] - cy
    second = np.array([[(image * dx**2).sum(), (image * dx * dy).sum()], [0, (image * dy**2).sum()]])
    slope = 0.5 * np.arctan2(2 * second[0, 1], second[0, 0] - second[1, 1])
    assert slope == pytest.approx(0.4, abs=0.01)


def test_images_that_are_not_square_keep_round_things_round():
    image = render(one(axes=(0.3, 0.3), centre=(0, 0)), (60, 100), oversampling=4)
    assert image.sum() == pytest.approx(2 * np.pi * (0.3 * 50) ** 2, rel=0.01)
    assert np.allclose(image, image[::-1, ::-1])


def test_integrals_of_a_disc_are_chords():
    disc = one(1.0, (0.5, 0.5), (0, 0), 0)
    s = np.array([0.0, 0.3, 0.5, 0.7])
    for angle in (0.0, 1.0, 2.5):
        assert np.allclose(
            line_integrals(disc, np.array(angle), s), 2 * np.sqrt(np.clip(0.25 - s**2, 0, None))
        )


def test_the_sinogram_is_the_mean_of_integrals_over_bins_in_pixels():
    ellipses = random_ellipses(np.random.default_rng(0))
    angles, bins, fine = np.array([0.0, 30.0, 111.0]), 20, 200
    s = (np.arange(bins * fine) + 0.5) / fine - bins / 2
    lines = line_integrals(ellipses, np.deg2rad(angles)[:, None], s[None] * 1.5 / 16) * 16
    means = lines.reshape(3, bins, fine).mean(-1)
    assert np.allclose(sinogram(ellipses, (32, 32), angles, bins, 1.5), means, atol=1e-3 * means.max())


def test_a_sinogram_at_zero_and_ninety_degrees_sums_the_image():
    ellipses = random_ellipses(np.random.default_rng(1), "disc")
    image = render(ellipses, (64, 64), oversampling=16)
    exact = sinogram(ellipses, (64, 64), np.array([0.0, 90.0]), 64)
    assert np.allclose(exact[0], image.sum(0), atol=0.01 * image.sum(0).max())
    assert np.allclose(exact[1], image.sum(1)[::-1], atol=0.01 * image.sum(0).max())


@pytest.mark.parametrize("name", list(RECIPES))
def test_ellipses_follow_their_recipe(name):
    recipe, drawn = RECIPES[name], [random_ellipses(np.random.default_rng(s), name) for s in range(60)]
    counts = [len(e.value) for e in drawn]
    assert max(counts) == recipe.count
    assert np.mean(counts) > 0.93 * recipe.count
    values, axes = np.concatenate([e.value for e in drawn]), np.concatenate([e.axes for e in drawn])
    assert (values.min(), values.max()) == pytest.approx((-0.4, 1.0), abs=0.02)
    assert axes.mean() == pytest.approx(recipe.size, rel=0.05)
    centre = np.concatenate([e.centre for e in drawn])
    if recipe.disc:
        radius = np.hypot(*centre.T)
        assert radius.max() <= recipe.reach
        assert np.mean(radius < recipe.reach / 2**0.5) == pytest.approx(0.5, abs=0.03)
    else:
        assert np.abs(centre).max() <= recipe.reach


def test_the_disc_is_the_one_of_steerable_conditional_diffusion():
    assert RECIPES["disc"].count == 140
    assert RECIPES["disc"].reach == 0.4745
    assert RECIPES["disc"].size == pytest.approx(0.2 * 0.4745)


@pytest.mark.parametrize("channels", [1, 2])
def test_phantoms_are_seeded_and_their_magnitude_fills_0_to_1(channels):
    first = phantom(5, (48, 40), channels=channels)
    assert first.shape == (channels, 48, 40)
    assert first.dtype == np.float32
    assert np.array_equal(first, phantom(5, (48, 40), channels=channels))
    assert not np.array_equal(first, phantom(6, (48, 40), channels=channels))
    size = np.sqrt((first**2).sum(0))
    assert size.max() == pytest.approx(1, abs=1e-6)
    assert size.min() == pytest.approx(0, abs=1e-6)


def test_a_complex_phantom_has_the_magnitude_of_the_plain_one_and_a_smooth_phase():
    plain, both = phantom(3, (64, 64), "disc"), phantom(3, (64, 64), "disc", channels=2)
    image = both[0] + 1j * both[1]
    assert np.allclose(np.abs(image), plain[0], atol=1e-6)
    inside = plain[0] > 0.2
    step = np.angle(image[:, 1:] * image[:, :-1].conj())[inside[:, 1:] & inside[:, :-1]]
    assert np.abs(step).max() < 0.2
    assert np.abs(np.angle(image[inside])).max() > 0.05


def test_bad_requests_name_the_field():
    with pytest.raises(SettingsError, match="ellipses: found 'squares', accepted are square, disc"):
        random_ellipses(np.random.default_rng(0), "squares")
    with pytest.raises(SettingsError, match="channels: found 3"):
        phantom(0, (8, 8), channels=3)
