from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from napari_vol2vol.training.adversarial import AdversarialLoop, AdversarialLoss, Pair, make_discriminator
from napari_vol2vol.training.recipe import Adversarial, load_recipe
from napari_vol2vol.training.trainer import LoopSettings

SETTINGS = Adversarial(l1=100.0, channels=4, layers=2, lr=1e-3)
LOOP = LoopSettings(steps=4, warmup=2, validate_every=10**9)


def pairs(network, step):
    generator = torch.Generator().manual_seed(step)
    condition = torch.randn(2, 1, 16, 16, generator=generator)
    return Pair(condition, torch.tanh(2 * condition), network(condition))


def make_loss(seed=0):
    torch.manual_seed(seed)
    return AdversarialLoss(pairs, make_discriminator(SETTINGS, 1, 2), SETTINGS, LOOP)


def make_loop(folder, *, stop_at=None):
    loss = make_loss()
    network = torch.nn.Conv2d(1, 1, 3, padding=1)
    if stop_at is not None:
        drawn = loss.pairs

        def interrupted(network, step):
            if step == stop_at:
                raise KeyboardInterrupt
            return drawn(network, step)

        loss.pairs = interrupted
    return AdversarialLoop(network, loss, LOOP, folder)


def parameters(network):
    return torch.cat([p.detach().flatten() for p in network.parameters()])


def test_a_resumed_run_ends_with_both_networks_of_an_uninterrupted_one(tmp_path):
    whole = make_loop(tmp_path / "whole")
    whole.run()
    first = make_loop(tmp_path / "two", stop_at=2)
    with pytest.raises(KeyboardInterrupt):
        first.run()
    first.save()
    second = make_loop(tmp_path / "two")
    assert second.step == 2
    assert torch.equal(parameters(second.adversary.discriminator), parameters(first.adversary.discriminator))
    second.run()
    assert torch.equal(parameters(second.network), parameters(whole.network))
    assert torch.equal(parameters(second.ema.network), parameters(whole.ema.network))
    assert torch.equal(parameters(second.adversary.discriminator), parameters(whole.adversary.discriminator))


def test_the_generator_is_scored_by_least_squares_and_a_hundred_times_the_l1():
    loss, network = make_loss(), torch.nn.Conv2d(1, 1, 3, padding=1)
    found = loss(network, 0)
    pair = pairs(network, 0)
    with torch.no_grad():
        judged = loss.discriminator(torch.cat([pair.condition, pair.fake], 1))[-1]
    expected = (judged - 1).square().mean() + 100 * F.l1_loss(pair.fake, pair.real)
    assert float(found.detach()) == pytest.approx(float(expected.detach()), rel=1e-5)


def test_a_step_moves_the_discriminator_and_gives_gradients_to_the_generator_only():
    loss, network = make_loss(), torch.nn.Conv2d(1, 1, 3, padding=1)
    before = parameters(loss.discriminator)
    value = loss(network, 0)
    stepped = [p.grad.clone() for p in loss.discriminator.parameters()]
    assert not torch.equal(before, parameters(loss.discriminator))
    assert network.weight.grad is None
    value.backward()
    assert network.weight.grad.abs().max() > 0
    assert all(torch.equal(p.grad, g) for p, g in zip(loss.discriminator.parameters(), stepped, strict=True))


def test_the_discriminator_learns_to_tell_true_from_generated():
    torch.manual_seed(0)
    settings = replace(SETTINGS, lr=5e-3)
    still = torch.nn.Conv2d(1, 1, 3, padding=1)
    loss = AdversarialLoss(pairs, make_discriminator(settings, 1, 2), settings, replace(LOOP, steps=100))
    for step in range(100):
        loss(still, step)
    pair = pairs(still, 1000)
    with torch.no_grad():
        real, fake = (
            loss.discriminator(torch.cat([pair.condition, image], 1))[-1].mean()
            for image in (pair.real, pair.fake)
        )
    assert real > fake + 0.3, "it starts with the two within a few hundredths"


@pytest.mark.parametrize(("layers", "reach"), [(2, 34), (3, 70)])
def test_a_patch_is_as_large_as_the_paper_says(layers, reach):
    """Isola et al. (section 6.1.2 of their appendix): three layers see 70 x 70 pixels, two 34 x 34."""
    torch.manual_seed(0)
    network = make_discriminator(replace(SETTINGS, layers=layers), 1, 2).eval()
    for layer in network.modules():
        if isinstance(layer, torch.nn.InstanceNorm2d):
            layer.forward = lambda x: x  # its statistics reach over the whole image
    x = torch.randn(1, 2, 128, 128, requires_grad=True)
    logits = network(x)[-1]
    logits[0, 0, logits.shape[2] // 2, logits.shape[3] // 2].backward()
    seen = x.grad[0].abs().sum((0, 1)).nonzero()
    assert int(seen.max() - seen.min()) + 1 == reach


def test_the_adversarial_section_of_a_recipe_is_read():
    assert load_recipe("sr4-t1-pix2pix-3d").adversarial == Adversarial(channels=16, layers=2)
    assert load_recipe("sr4-t1-pix2pix").dry().adversarial.layers == 2
