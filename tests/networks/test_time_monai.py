from dataclasses import replace
from importlib.util import find_spec

import pytest
import torch

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.networks import time_monai as module
from napari_vol2vol.networks.time_monai import KINDS, TimeMonai, TimeMonaiConfig, time_monai
from napari_vol2vol.networks.velocity import family_of, make_velocity_network, velocity_config
from napari_vol2vol.training.export import MAX_BYTES

needs_einops = pytest.mark.skipif(find_spec("einops") is None, reason="SwinUNETR needs einops")
EACH = ["unet", "segresnet", pytest.param("swinunetr", marks=needs_einops)]
TINY = {
    "unet": TimeMonaiConfig("unet", (8, 16), (1, 1), stem=2),
    "segresnet": TimeMonaiConfig("segresnet", (8, 16), (1, 1), stem=2),
    "swinunetr": TimeMonaiConfig("swinunetr", (24, 48, 96, 192), (1, 1, 1, 1), (3, 6, 12, 24)),
}


def stirred(kind):
    torch.manual_seed(0)
    network = TimeMonai(TINY[kind]).eval()
    torch.nn.init.normal_(network.head.weight, std=0.3)
    return network


@pytest.mark.parametrize("kind", EACH)
def test_the_smallest_size_it_says_it_takes_keeps_its_shape(kind):
    network, edge = stirred(kind), TINY[kind].multiple
    output, features = network(torch.randn(1, 1, edge, 2 * edge), torch.zeros(1))
    assert output.shape == (1, 1, edge, 2 * edge)
    assert features == []


@pytest.mark.parametrize("kind", EACH)
def test_an_untrained_network_changes_nothing(kind):
    output, _ = TimeMonai(TINY[kind])(torch.randn(1, 1, 32, 32), torch.ones(1))
    assert not output.any()


@pytest.mark.parametrize("kind", EACH)
def test_the_time_matters_and_slices_are_independent(kind):
    network = stirred(kind)
    x, t = torch.randn(2, 1, 32, 32), torch.tensor([0.2, 0.9])
    with torch.inference_mode():
        both, _ = network(x, t)
        alone, _ = network(x[1:], t[1:])
        other, _ = network(x[1:], t[:1])
    torch.testing.assert_close(both[1:], alone, atol=1e-5, rtol=1e-4)
    assert (alone - other).abs().max() > 1e-3


@pytest.mark.parametrize("kind", EACH)
def test_every_parameter_has_a_gradient(kind):
    network = stirred(kind)
    network(torch.randn(2, 1, 64, 64), torch.tensor([0.1, 0.8]))[0].square().mean().backward()
    # MONAI gives its Swin transformer parameters that its decoder never asks for
    unused = {n for n, p in network.named_parameters() if p.grad is None}
    assert not unused or kind == "swinunetr"
    assert network.head.weight.grad.any()


@pytest.mark.parametrize("kind", EACH)
@pytest.mark.parametrize("preset", ["compact", "large"])
def test_presets_know_what_they_need_and_compact_ones_fit_a_bundle(kind, preset):
    config = time_monai(kind, preset)
    network = make_velocity_network(config)
    assert preset == "large" or 2 * sum(p.numel() for p in network.parameters()) < MAX_BYTES
    assert config.multiple in (8, 16, 32, 64)
    assert family_of(config) == "time-monai"


def test_a_network_that_does_not_exist_is_named_with_those_that_do():
    accepted = "accepted are time-resnet, unet, segresnet, swinunetr"
    with pytest.raises(SettingsError, match=f"network: found 'magic', {accepted}"):
        velocity_config("magic", "compact")
    with pytest.raises(SettingsError, match=rf"'UMamba', which is missing here: .*mamba-ssm.*; {accepted}"):
        velocity_config("UMamba", "compact")
    with pytest.raises(SettingsError, match="found unet tiny, accepted are unet compact, unet large, segres"):
        velocity_config("unet", "tiny")
    with pytest.raises(SettingsError, match=f"found 'tree', accepted are {', '.join(KINDS)}"):
        TimeMonai(replace(TINY["unet"], kind="tree"))


def test_a_missing_einops_is_named_with_what_brings_it(monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(SettingsError, match=r"swinunetr, which needs einops.*pip install einops"):
        TimeMonai(TINY["swinunetr"])
