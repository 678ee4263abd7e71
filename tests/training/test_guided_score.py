from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_vol2vol.bundles.card import read_card
from napari_vol2vol.errors import SettingsError
from napari_vol2vol.networks.blocks import channels_last
from napari_vol2vol.networks.presets import plane_unet
from napari_vol2vol.networks.unet import UNet
from napari_vol2vol.sampling.branches import Diffused
from napari_vol2vol.sampling.mutual_information_guide import NO_MAP, guiding_layer
from napari_vol2vol.systems.midiffusion import layer_of
from napari_vol2vol.training.guided_images import as_source, draw_slices, target_pool
from napari_vol2vol.training.guided_score import (
    LEVELS,
    GuidedValidation,
    guided_loss,
    told_of,
    train_guided_score,
    window_of,
)
from napari_vol2vol.training.recipe import load_recipe
from napari_vol2vol.training.run import train

RECIPE = load_recipe("mi-t1").dry()
VE = Diffused("image", 0.8, "v", "ve", {"sigma_min": 0.02, "sigma_max": 30.0})


def steps_image():
    values = np.linspace(-1, 1, 6, dtype=np.float32)
    return torch.from_numpy(np.repeat(np.repeat(values, 4)[None], 24, 0))


def test_another_contrast_keeps_air_dark_and_every_plateau_where_it_was():
    image, orders = steps_image(), set()
    for seed in range(12):
        moved = as_source(image, np.random.default_rng(seed), remapped=1.0)
        assert moved.min() >= -1
        assert moved.max() <= 1
        assert moved[:, :4].mean() < -0.9
        plateaus = moved.reshape(24, 6, 4).permute(1, 0, 2).reshape(6, -1)
        assert plateaus.std(1).max() < 0.08
        orders.add(tuple(plateaus.mean(1).argsort().tolist()))
    assert len(orders) > 4  # which tissue is brighter is told by none of them


def test_without_remapping_the_source_is_the_image():
    image = steps_image()
    assert as_source(image, np.random.default_rng(0), remapped=0.0) is image


def test_some_images_are_left_unguided():
    images = steps_image()[None].repeat(200, 1, 1)
    guidance = replace(RECIPE.guidance, unguided=0.3, remapped=0.0)
    layer = guiding_layer(window_of(guidance))
    told = told_of(layer, images, torch.randn(images.shape), guidance, np.random.default_rng(0))
    silent = (told == NO_MAP).flatten(1).all(1)
    assert 0.2 < silent.float().mean() < 0.4
    assert told[~silent].min() >= 0


def test_slices_come_from_every_plane_in_turn_and_repeat_with_the_seed():
    pool = target_pool(RECIPE, [])
    first, labels = draw_slices(pool, RECIPE, np.random.default_rng(1), 6)
    again, _ = draw_slices(pool, RECIPE, np.random.default_rng(1), 6)
    assert labels.tolist() == [0, 1, 2, 0, 1, 2]
    assert torch.equal(first, again)
    assert first.shape == (6, RECIPE.crop, RECIPE.crop)


def test_training_lowers_the_loss_on_one_batch():
    torch.manual_seed(0)
    recipe = replace(RECIPE, batch=6)
    loss = guided_loss(target_pool(recipe, []), recipe, VE)
    network = channels_last(UNet(plane_unet("compact-slim", conditions=1)), 2)
    optimiser = torch.optim.Adam(network.parameters(), 2e-3)
    values = []
    for _ in range(12):
        optimiser.zero_grad()
        value = loss(network, 0)
        value.backward()
        optimiser.step()
        values.append(float(value.detach()))
    assert values[-1] < 0.8 * values[0]


def test_validation_tells_how_well_held_out_slices_are_denoised_with_the_map_and_without():
    network = channels_last(UNet(plane_unet("compact-slim", conditions=1)), 2)
    figures = GuidedValidation(RECIPE, VE)(network)
    assert set(figures) == {f"psnr {k} noise {level:g}" for k in ("map", "alone") for level in LEVELS}
    # untrained, the network answers 0: the best linear guess, worse the more noise there is
    assert figures["psnr map noise 0.5"] > figures["psnr map noise 8"] - 1e-3


def test_the_card_says_what_the_map_is_measured_with_and_that_sources_are_unseen(tmp_path):
    card = read_card(train(RECIPE, tmp_path))
    assert layer_of(card).settings == window_of(RECIPE.guidance)
    assert card.inputs == ()
    assert card.diffusion["schedule"] == "ve"
    assert "any source is zero-shot" in card.training


def test_a_recipe_with_a_source_is_refused(tmp_path):
    with pytest.raises(
        SettingsError, match="inputs: found T2w and consecutive 1, stage guided-score accepts"
    ):
        train_guided_score(replace(RECIPE, inputs=("T2w",)), tmp_path, [])
