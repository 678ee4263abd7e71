from dataclasses import replace

import pytest
import torch

from napari_vol2vol.bundles.card import read_card
from napari_vol2vol.bundles.weights import load_monai_unet
from napari_vol2vol.errors import SettingsError
from napari_vol2vol.training.cycle_gan import CycleLoss, Generators, make_draws, train_cycle_gan
from napari_vol2vol.training.recipe import load_recipe
from napari_vol2vol.training.run import train

RECIPE = load_recipe("cyclegan-t2-t1").dry()


@pytest.fixture(scope="module")
def draws():
    return make_draws(RECIPE)


def test_source_and_target_are_never_of_one_head(draws):
    target, source = draws
    ours, theirs = (d.pool._anatomies for d in draws)
    assert len(theirs) == 1
    assert all((a.tissues != theirs[0].tissues).any() for a in ours)
    assert target.recipe.seed != source.recipe.seed


def test_the_loss_reaches_both_generators_and_moves_both_discriminators(draws):
    torch.manual_seed(0)
    network, loss = Generators(RECIPE), CycleLoss(*draws, RECIPE)
    before = {side: next(d.parameters()).detach().clone() for side, d in loss.discriminator.items()}
    loss(network, 0).backward()
    loss(network, 1).backward()
    for generator in (network.onward, network.back):
        assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in generator.parameters())
    for side, d in loss.discriminator.items():
        assert not torch.equal(next(d.parameters()), before[side])
        assert all(not p.requires_grad for p in d.parameters())  # judged alone, they stay


def test_the_bundle_holds_the_generator_from_source_to_target(tmp_path):
    card = read_card(train(RECIPE, tmp_path))
    assert (card.inputs, card.target, card.systems) == (("T2w",), "T1w", ("cyclegan",))
    network = load_monai_unet(card, torch.device("cpu"))
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)["ema"]
    for name, value in network.state_dict().items():
        torch.testing.assert_close(value, state[f"onward.{name}"].half().float())


def test_a_recipe_without_a_source_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="inputs: found none, stage cycle-gan accepts one modality"):
        train_cycle_gan(replace(RECIPE, inputs=()), tmp_path)
