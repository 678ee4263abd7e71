from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_vol2vol.bundles import verify_bundle
from napari_vol2vol.bundles.card import read_card
from napari_vol2vol.bundles.weights import load_unet
from napari_vol2vol.errors import SettingsError
from napari_vol2vol.networks.unet import UNet, UNetConfig
from napari_vol2vol.sampling.branches import Diffused
from napari_vol2vol.sampling.slice_prior import SlicePrior
from napari_vol2vol.systems.assembly import diffused_of
from napari_vol2vol.training.prior import LEVELS, TASK, PriorValidation, prior_loss, train_prior
from napari_vol2vol.training.prior_images import SOURCES, WIDEST, make_pool, root_mean_square
from napari_vol2vol.training.recipe import load_recipe

ELLIPSES = load_recipe("ellipses-prior").dry()
COMPLEX = load_recipe("ellipses-prior-complex").dry()
HEADS = load_recipe("brains-prior").dry()
RECIPES = [ELLIPSES, COMPLEX, HEADS]


def named(recipe):
    return recipe.name


def small(recipe, **pool):
    return make_pool(replace(recipe, pool=replace(recipe.pool, **pool)))


@pytest.mark.parametrize("recipe", RECIPES, ids=named)
def test_the_card_says_what_the_prior_was_made_of_and_its_network_denoises(recipe, dry_runs):
    card = read_card(dry_runs / recipe.name / recipe.name)
    verify_bundle(card)
    assert (card.task, card.inputs, card.planes) == (TASK, (), ("axial",))
    assert SOURCES[recipe.images] in card.training
    assert "No scans" in card.training
    assert card.network["in_channels"] == card.network["out_channels"] == recipe.channels
    assert (card.diffusion["what"], card.diffusion["scale"] > 0) == ("image", True)
    prior = SlicePrior(load_unet(card, torch.device("cpu")), diffused_of(card), recipe.channels)
    x_t = torch.randn((2,) * (recipe.channels - 1) + (3, 16, 24))
    with torch.inference_mode():
        assert prior(x_t, 0.5).shape == x_t.shape


@pytest.mark.parametrize("recipe", RECIPES, ids=named)
def test_images_have_their_magnitude_between_0_and_1_and_follow_the_seed(recipe):
    pools = [small(recipe, entries=3) for _ in range(2)]
    draws = [torch.stack([p.draw(np.random.default_rng(i), 32) for i in range(8)]) for p in pools]
    assert torch.equal(*draws)
    assert draws[0].shape == (8, recipe.channels, 32, 32)
    magnitude = draws[0].square().sum(1).sqrt()
    assert float(magnitude.min()) >= -1e-6
    assert 0.3 < float(magnitude.max()) <= 1 + 1e-6
    assert float(draws[0].min()) < -0.05 or recipe.channels == 1


def test_renewing_replaces_one_image():
    pool = small(ELLIPSES, entries=4)
    before = list(pool.images)
    pool.renew()
    assert sum(a is not b for a, b in zip(before, pool.images, strict=True)) == 1


def test_ellipses_come_in_widths_from_the_crop_up():
    pool = small(ELLIPSES, entries=30, crop=20)
    edges = [image.shape[-1] for image in pool.images]
    assert min(edges) < 24 < 36 < max(edges) <= 20 * WIDEST
    assert all(image.shape == (1, edge, edge) for image, edge in zip(pool.images, edges, strict=True))


def test_the_scale_is_the_root_mean_square_of_one_channel():
    class Constant:
        def draw(self, rng, crop):
            return torch.full((2, crop, crop), 0.3)

    assert root_mean_square(Constant(), 8) == pytest.approx(0.3)


def test_the_loss_of_a_network_that_says_nothing_is_the_mean_square_of_its_target():
    recipe = replace(ELLIPSES, batch=64, diffusion=replace(ELLIPSES.diffusion, prediction="epsilon"))
    pool = small(recipe, entries=2)
    diffused = diffused_with(recipe, 0.5)
    silent = UNet(UNetConfig(2, 1, 1, (16,), (1,), (1,), stem=2, embedding=16))
    assert float(prior_loss(pool, recipe, diffused)(silent, 0).detach()) == pytest.approx(1.0, abs=0.02)


def diffused_with(recipe, scale):
    d = recipe.diffusion
    return Diffused("image", scale, d.prediction, d.schedule, d.schedule_parameters)


def test_validation_is_exact_for_a_network_that_knows_no_signal():
    """x̂0 = x_t / alpha (epsilon of zero) leaves noise of ``level * scale``."""
    recipe = replace(ELLIPSES, diffusion=replace(ELLIPSES.diffusion, prediction="epsilon"))
    diffused = diffused_with(recipe, 0.4)

    def silent(x, t):
        return torch.zeros_like(x), []

    figures = PriorValidation(recipe, diffused)(silent)
    for level in LEVELS:
        assert figures[f"psnr noise {level:g}"] == pytest.approx(-20 * np.log10(level * 0.4), abs=0.3)


def test_training_lowers_the_loss_of_denoising(tmp_path):
    recipe = replace(
        ELLIPSES, batch=8, crop=32, pool=replace(ELLIPSES.pool, entries=8),
        loop=replace(ELLIPSES.loop, steps=25, lr=3e-3, warmup=3, ema=0.8, validate_every=25),
    )  # fmt: skip
    card = read_card(train_prior(recipe, tmp_path / "run"))
    untrained = PriorValidation(recipe, diffused_with(recipe, card.diffusion["scale"]))(
        lambda x, t: (torch.zeros_like(x), [])
    )
    key = "psnr noise 1"
    assert card.validation[key] > untrained[key] + 1


def test_a_prior_takes_no_scans_and_no_conditions(tmp_path):
    for change in ({"train": ("bold5000-1",)}, {"inputs": ("T1w",)}):
        with pytest.raises(
            SettingsError, match=r"train, validate and inputs: found .*stage prior accepts none"
        ):
            train_prior(replace(ELLIPSES, **change), tmp_path)


def test_unknown_images_are_named(tmp_path):
    with pytest.raises(SettingsError, match="images: found 'cats', accepted are ellipses, heads"):
        train_prior(replace(ELLIPSES, images="cats"), tmp_path)
