from dataclasses import replace

import pytest
import torch

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.networks.time_resnet import (
    SelfConvolutionAttention,
    TimeBlock,
    TimeResNet,
    TimeResNetConfig,
    time_resnet,
)

SMALL = TimeResNetConfig(2, 1, 1, (16, 32), (1, 1), middle=1, heads=2, stem=2)


def randomised(network, scale=0.1):
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(scale * torch.randn(parameter.shape, generator=generator))
    return network


def test_an_untrained_network_has_velocity_zero():
    torch.manual_seed(0)
    velocity, _ = TimeResNet(SMALL)(torch.randn(2, 1, 16, 12), torch.rand(2))
    assert velocity.shape == (2, 1, 16, 12)
    assert torch.count_nonzero(velocity) == 0


def test_the_paper_preset_has_about_125_million_parameters():
    with torch.device("meta"):
        network = TimeResNet(time_resnet("paper"))
    assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(125, abs=4)


def test_a_block_starts_without_time_and_learns_to_use_it():
    block, x = TimeBlock(2, 16, 16, 8), torch.randn(1, 16, 8, 8)
    torch.nn.init.normal_(block.conv2.weight)
    early, late = torch.zeros(1, 8), torch.ones(1, 8)
    assert torch.equal(block(x, early), block(x, late))
    randomised(block.scale_shift)
    assert not torch.allclose(block(x, early), block(x, late))


def test_attention_starts_as_the_identity_and_then_sees_every_position():
    attention, x = SelfConvolutionAttention(2, 16, 4), torch.randn(1, 16, 6, 6, requires_grad=True)
    assert torch.equal(attention(x), x)
    randomised(attention)
    attention(x)[0, 0, 0, 0].backward()
    assert (x.grad[0].abs().sum(0) > 0).all()


def test_gradients_reach_every_parameter():
    network = randomised(TimeResNet(SMALL))
    network(torch.randn(1, 1, 16, 16), torch.rand(1))[0].square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def test_sizes_must_be_divisible_by_the_stated_multiple_and_no_more():
    network = TimeResNet(replace(SMALL, channels=(16, 16, 16), blocks=(1, 1, 1)))
    assert network.config.multiple == 8
    assert network(torch.randn(1, 1, 8, 24), torch.rand(1))[0].shape == (1, 1, 8, 24)


def test_heads_that_do_not_divide_the_channels_are_refused():
    with pytest.raises(SettingsError, match="heads: found 3, accepted are divisors of 16 channels"):
        SelfConvolutionAttention(2, 16, 3)


@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last])
def test_what_is_overwritten_without_gradients_changes_nothing(memory):
    network = randomised(
        TimeResNet(replace(SMALL, in_channels=3))
    )  # what starts at zero would hide a difference
    x, t = torch.randn(2, 3, 16, 24).contiguous(memory_format=memory), torch.tensor([0.3, 1.0])
    before = x.clone()
    velocity, features = network(x, t)
    with torch.inference_mode():
        found, kept = network(x, t)
    torch.testing.assert_close(found, velocity, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(kept, features, atol=1e-4, rtol=1e-4)
    assert torch.equal(x, before)


def test_an_unknown_preset_is_refused():
    with pytest.raises(SettingsError, match="accepted are paper, compact"):
        time_resnet("huge")
