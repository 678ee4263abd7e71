"""The stages of i2sb, unet and pix2pix: what they learn, and the bundles they leave."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_vol2vol.bundles import verify_bundle
from napari_vol2vol.bundles.card import read_card
from napari_vol2vol.engine import Translation, translate
from napari_vol2vol.errors import SettingsError
from napari_vol2vol.networks.monai_unet import MonaiUNet, MonaiUNetConfig
from napari_vol2vol.networks.unet import UNet
from napari_vol2vol.sampling.branches import Diffused
from napari_vol2vol.sampling.bridge import bridge_denoiser, make_bridge, ode
from napari_vol2vol.sampling.schedules import timesteps
from napari_vol2vol.systems.regression import from_planes
from napari_vol2vol.training.adversarial import AdversarialLoop, AdversarialLoss, make_discriminator
from napari_vol2vol.training.baseline_stages import (
    bridge_loss,
    cube_pairs,
    draw_slices,
    make_baseline,
    phase_of,
    regression_2d_loss,
    slice_pairs,
)
from napari_vol2vol.training.pool import Entry, PoolSettings, VolumePool
from napari_vol2vol.training.recipe import Adversarial, Phase, load_recipe
from napari_vol2vol.training.run import train
from napari_vol2vol.training.stages import Draw
from napari_vol2vol.training.trainer import Loop, LoopSettings
from napari_vol2vol.training.validation import Validation
from napari_vol2vol.volume import Volume
from tiny_bundles import PLANE

RECIPES = {
    "i2sb": "sr4-t1-i2sb",
    "unet": "sr4-t1-unet",
    "pix2pix": "sr4-t1-pix2pix",
    "pix2pix-3d": "sr4-t1-pix2pix-3d",
}
FACTOR = (4, 4, 4)
POOL = PoolSettings(
    entries=1, crop=24, renew_every=10**9, phantom_share=1.0, phantom_anatomies=1, phantom_shape=(32, 32, 32)
)
TINY = MonaiUNetConfig(2, 1, 1, (16, 32), (2,), last=16, labels=3)
TINY_3D = MonaiUNetConfig(3, 1, 1, (16, 32), (2,), last=16)
SETTINGS = LoopSettings(steps=40, lr=3e-3, warmup=3, ema=0.8, validate_every=10**9)


def make_draw(system, **changes):
    """A draw of one fixed cube, whose image is a function of its base that a few seconds suffice to learn."""
    recipe = replace(load_recipe(RECIPES[system]), crop=16, batch=6, pool=POOL, **changes)
    pool = VolumePool([], FACTOR, POOL, seed=1)
    noise = torch.randn(1, 1, 6, 6, 6, generator=torch.Generator().manual_seed(0))
    base = 0.5 * torch.nn.functional.interpolate(noise, size=(24, 24, 24), mode="trilinear")[0, 0]
    pool.entries = [Entry(torch.tanh(2 * base) - 0.2, {"base": base})]
    what = recipe.diffusion.what
    return Draw(pool, recipe, Diffused(what, 1.0 if what == "image" else pool.scale_of(what)))


def fitted(network, loss, folder, steps=40):
    """The network after a short training, and its loss before and after, on the same batches."""
    losses = []
    for _ in range(2):
        with torch.no_grad():
            losses.append(float(sum(loss(network, 1000 + i) for i in range(5))))
        if len(losses) == 1:
            network = Loop(network, loss, replace(SETTINGS, steps=steps), folder).run()
    return network, *losses


def error(x, entry):
    return float((x - entry.image).square().mean())


def test_a_short_training_of_the_bridge_lowers_the_loss_and_its_result_beats_the_input(tmp_path):
    draw = make_draw("i2sb")
    torch.manual_seed(0)
    network, before, after = fitted(UNet(PLANE), bridge_loss(draw), tmp_path)
    assert after < 0.9 * before
    entry, schedule = draw.pool.entries[0], make_bridge("i2sb")
    base = entry.conditions["base"]
    denoiser = bridge_denoiser(network, base[None], "axial", schedule)
    with torch.no_grad():
        *_, last = ode(denoiser, base, timesteps(4), schedule, lambda i: None)
    assert error(last.x0_hat, entry) < 0.5 * error(base, entry)


def test_a_short_training_of_2d_regression_lowers_the_loss_and_its_result_beats_the_input(tmp_path):
    draw = make_draw("unet")
    torch.manual_seed(0)
    network, before, after = fitted(MonaiUNet(TINY), regression_2d_loss(draw), tmp_path)
    assert after < 0.5 * before
    entry = draw.pool.entries[0]
    base = entry.conditions["base"]
    with torch.no_grad():
        z = from_planes(network, base[None], ["axial", "sagittal"])
    assert error(base + draw.diffused.scale * z, entry) < 0.5 * error(base, entry)


@pytest.mark.parametrize("dims", [2, 3])
def test_a_short_training_of_the_gan_lowers_the_l1_of_the_generator(dims, tmp_path):
    draw = make_draw("pix2pix" if dims == 2 else "pix2pix-3d", phases=(Phase(16, 2, 40),))
    torch.manual_seed(0)
    network = MonaiUNet(TINY if dims == 2 else TINY_3D)
    settings = Adversarial(channels=8, layers=2, lr=1e-3)
    pairs = slice_pairs(draw) if dims == 2 else cube_pairs(draw)
    loss = AdversarialLoss(pairs, make_discriminator(settings, 1, dims), settings, SETTINGS)

    def l1(network):
        with torch.no_grad():
            return float(sum(loss.l1(network, 1000 + i) for i in range(5)))

    before = l1(network)
    assert l1(AdversarialLoop(network, loss, SETTINGS, tmp_path).run()) < 0.5 * before


def test_a_pair_is_in_model_space_and_the_true_image_is_the_pools():
    draw = make_draw("pix2pix-3d", phases=(Phase(24, 1, 1),))
    torch.manual_seed(0)
    pair = cube_pairs(draw)(MonaiUNet(TINY_3D), 0)
    entry = draw.pool.entries[0]
    assert torch.allclose(pair.real[0, 0], entry.image, atol=1e-5)
    assert torch.equal(pair.condition[0, 0], entry.conditions["base"])
    assert pair.fake.requires_grad


@pytest.mark.parametrize("consecutive", [1, 3])
def test_slices_come_from_their_plane_with_their_neighbours_in_order(consecutive):
    draw = make_draw("unet", consecutive=consecutive, inputs=("base",))
    drawn = draw_slices(draw, np.random.default_rng(0))
    assert drawn.z0.shape == (6, consecutive, 16, 16)
    assert drawn.conditions.shape == (6, consecutive, 1, 16, 16)
    assert drawn.inputs.shape == (6, consecutive, 16, 16)
    assert drawn.labels.tolist() == [0, 2] * 3
    base = draw.pool.entries[0].conditions["base"]
    windows = base.unfold(0, consecutive, 1).unfold(1, 16, 4).unfold(2, 16, 4)  # axial, on the block grid
    windows = windows.reshape(-1, consecutive, 16, 16)
    found = drawn.conditions[0, :, 0]
    assert (windows - found).abs().flatten(1).amax(1).min() == 0


def test_a_bridge_of_anything_but_the_image_is_refused():
    draw = make_draw("unet")
    with pytest.raises(SettingsError, match="found 'residual', a bridge accepts 'image' only"):
        bridge_loss(draw)


def test_a_step_belongs_to_its_phase_and_a_stage_without_phases_is_refused():
    recipe = load_recipe("sr4-t1-pix2pix-3d")
    assert [phase_of(recipe, s).crop for s in (0, 1699, 1700, 1769, 10**6)] == [48, 48, 96, 96, 96]
    with pytest.raises(SettingsError, match="phases: found none, stage gan-3d"):
        phase_of(replace(recipe, phases=()), 0)


@pytest.mark.parametrize("system", RECIPES)
def test_every_stage_can_be_validated_while_training(system, monkeypatch):
    monkeypatch.setattr("napari_vol2vol.training.validation.BLOCK", 16)
    monkeypatch.setattr("napari_vol2vol.training.validation.PHANTOM_SHAPE", (40, 40, 40))
    recipe = load_recipe(RECIPES[system]).dry()
    draw = Draw(VolumePool([], FACTOR, POOL, seed=1), recipe, Diffused(recipe.diffusion.what, 0.2))
    torch.manual_seed(0)
    network, _ = make_baseline(recipe, draw)
    if system == "i2sb":
        draw.diffused = Diffused("image", 1.0, "bridge", "i2sb")
    else:
        torch.nn.init.zeros_(network.head.weight)
        torch.nn.init.zeros_(network.head.bias)
    figures = Validation(recipe, [], draw.diffused, [], ())(network.eval())
    assert set(figures) == {"psnr", "plain", "smooth"}
    if system == "i2sb":  # an untrained bridge returns its own noise, at most 0.38 in model space
        assert 6 < figures["psnr"] < figures["smooth"]
    else:  # a regression of nothing returns the smooth inverse
        assert figures["psnr"] == pytest.approx(figures["smooth"], abs=1e-3)


@pytest.fixture(scope="module")
def dry_bundles(tmp_path_factory):
    root = tmp_path_factory.mktemp("baselines")
    return {system: train(load_recipe(name).dry(), root / name) for system, name in RECIPES.items()}


@pytest.mark.parametrize("system", RECIPES)
def test_the_dry_run_of_a_baseline_leaves_a_bundle_that_the_engine_runs(system, dry_bundles):
    card = read_card(dry_bundles[system])
    verify_bundle(card)
    assert list(card.weights) == ["model.safetensors"], "the generator only"
    assert card.network.get("family", "unet") == ("unet" if system == "i2sb" else "monai-unet")
    low = Volume.from_array(np.random.default_rng(0).uniform(0, 9, (4, 4, 4)), (4, 4, 4), modality="T1w")
    *_, done = translate(Translation(system=system, bundle=str(card.path), steps=2, precision="float32"), low)
    assert done.volumes["mean"].shape == (16, 16, 16)
    assert done.metrics["data_residual"] < 1e-5


def test_the_bridge_is_trained_in_units_of_model_space(dry_bundles):
    diffusion = read_card(dry_bundles["i2sb"]).diffusion
    assert diffusion["scale"] == 1.0
    assert diffusion["schedule_parameters"] == {"beta_max": 0.3, "timesteps": 1000}
