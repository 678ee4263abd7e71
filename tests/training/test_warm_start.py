from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from napari_vol2vol.bundles.card import read_card
from napari_vol2vol.bundles.weights import load_velocity
from napari_vol2vol.errors import SettingsError
from napari_vol2vol.networks.fusion import FusionNetwork
from napari_vol2vol.networks.presets import fusion_unet
from napari_vol2vol.networks.time_resnet import TimeResNet
from napari_vol2vol.networks.unet import UNet
from napari_vol2vol.training.contrast import train_contrast
from napari_vol2vol.training.recipe import load_recipe
from napari_vol2vol.training.warm_start import mix_weights, plant_trunk, start_from, start_velocity_from


def seeded(network):
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(0.05 * torch.randn(parameter.shape, generator=generator))
    return network.eval()


@pytest.fixture
def regression():
    return seeded(UNet(replace(fusion_unet("compact-slim"), in_channels=1, out_channels=1)))


@pytest.fixture
def fusion():
    torch.manual_seed(0)
    return FusionNetwork(fusion_unet("compact-slim", 2, 2)).eval()


def hidden(network, x, t):
    seen = []
    handle = network.norm.register_forward_hook(lambda module, inputs, output: seen.append(output))
    network(x, t)
    handle.remove()
    return seen[0]


def test_the_planted_trunk_computes_what_the_regression_computes_from_its_condition(regression, fusion):
    plant_trunk(fusion.unet, regression, [1])
    x, t = torch.randn(1, 5, 16, 16, 16), torch.ones(1)
    with torch.no_grad():
        ours, theirs = hidden(fusion.unet, x, t), hidden(regression, x[:, 2:3], t)
    torch.testing.assert_close(ours, theirs)


def test_a_fusion_with_a_planted_trunk_still_starts_as_the_exact_average(regression, fusion):
    plant_trunk(fusion.unet, regression, [0])
    x, given, branches = (
        torch.randn(1, 1, 16, 16, 16),
        torch.randn(1, 2, 16, 16, 16),
        torch.randn(1, 2, 16, 16, 16),
    )
    with torch.no_grad():
        fused = fusion(x, given, branches, torch.rand(1))
    torch.testing.assert_close(fused.prediction, branches.mean(1, keepdim=True), rtol=0, atol=1e-6)


def test_a_trunk_of_other_widths_is_refused(fusion):
    wide = UNet(replace(fusion_unet("compact-small"), in_channels=1, out_channels=1))
    with pytest.raises(SettingsError, match="recipe start: the regression has another trunk"):
        plant_trunk(fusion.unet, wide, [0])


def test_a_start_of_another_network_is_refused_by_name(dry_runs, fusion):
    card = read_card(dry_runs / "sr4-t1-planes" / "sr4-t1-planes")
    with pytest.raises(SettingsError, match="bundle sr4-t1-planes has another network"):
        start_from(seeded(UNet(fusion_unet("compact-slim"))), card, ("base",))


def test_the_shipped_fusion_recipe_starts_from_the_regression_of_its_own_preset():
    recipe = load_recipe("sr4-t1-fusion")
    assert recipe.start == "sr4-t1-regression"
    assert load_recipe(recipe.start).preset == recipe.preset


def test_a_flow_that_sees_its_source_starts_as_the_one_of_x_t_alone(dry_runs):
    card = read_card(dry_runs / "ct-contrast-flow" / "ct-contrast-flow")
    alone = load_velocity(card, torch.device("cpu"))
    network = TimeResNet(replace(alone.config, in_channels=4)).eval()
    start_velocity_from(network, card)
    x, t = torch.randn(2, 4, 16, 32), torch.rand(2)
    with torch.inference_mode():
        torch.testing.assert_close(network(x, t)[0], alone(x[:, :1], t)[0])
        other = torch.cat([x[:, :1], torch.randn(2, 3, 16, 32)], 1)
        torch.testing.assert_close(network(other, t)[0], network(x, t)[0])
    with pytest.raises(SettingsError, match="bundle ct-contrast-flow has another network"):
        start_velocity_from(TimeResNet(replace(alone.config, in_channels=4, channels=(48, 64, 96, 64))), card)


def test_mixed_weights_lie_between_both_and_whole_numbers_stay():
    ours, theirs = (torch.nn.BatchNorm1d(3) for _ in range(2))
    torch.nn.init.constant_(ours.weight, 1.0)
    torch.nn.init.constant_(theirs.weight, 5.0)
    theirs.num_batches_tracked += 7
    mix_weights(ours, theirs.state_dict(), 0.25)
    torch.testing.assert_close(ours.weight, torch.full((3,), 2.0))
    assert int(ours.num_batches_tracked) == 0


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_a_bundle_holds_the_share_of_its_start_that_the_recipe_says(share, dry_runs, tmp_path):
    start = read_card(dry_runs / "ct-contrast-flow-source" / "ct-contrast-flow-source")
    recipe = load_recipe("ct-contrast-flow-organs").dry()
    recipe = replace(recipe, loop=replace(recipe.loop, lr=0.01, warmup=0, ema=0.0))
    alone = train_contrast(recipe, tmp_path / "alone", start=start)
    mixed = train_contrast(replace(recipe, start_share=share), tmp_path / "mixed", start=start)
    first, last, found = (load_file(path / "model.safetensors") for path in (start.path, alone, mixed))
    assert any(not torch.equal(first[k], last[k]) for k in first)
    for k in first:
        torch.testing.assert_close(
            found[k].float(), torch.lerp(last[k].float(), first[k].float(), share), atol=2e-3, rtol=2e-3
        )
    assert f"which are {share:.0%} of the bundle's" in read_card(mixed).training
