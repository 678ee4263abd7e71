from dataclasses import replace

import pytest
import torch

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.networks.blocks import channels_last
from napari_vol2vol.networks.fusion import FusionNetwork
from napari_vol2vol.networks.presets import fusion_unet, plane_unet
from napari_vol2vol.networks.unet import UNet, UNetConfig
from tiny_bundles import FUSION, PLANE, REGRESSION, stirred

PRESETS = ("compact", "paper", "paper-small")
#: Parameters in millions; a change of architecture must be noticed, since shipped weights depend on it.
PLANE_MILLIONS = {"compact": 2.965, "paper": 66.511, "paper-small": 9.849}
FUSION_MILLIONS = {"compact": 6.144, "paper": 45.396, "paper-small": 9.224}


def millions(network):
    return sum(p.numel() for p in network.parameters()) / 1e6


@pytest.mark.parametrize("preset", PRESETS)
def test_the_plane_network_of_every_preset_keeps_the_shape_of_a_slice(preset):
    with torch.device("meta"):
        config = plane_unet(preset)
        network = UNet(config)
        label = torch.zeros(2, dtype=torch.int64) if config.labels else None
        out, features = network(torch.zeros(2, 2, 32, 48), torch.zeros(2), label)
    assert out.shape == (2, 1, 32, 48)
    scales = [config.stem * 2**i for i in range(len(config.channels))]
    expected = [(2, c, 32 // s, 48 // s) for c, s in zip(config.channels, scales, strict=True)]
    assert [tuple(f.shape) for f in features] == expected
    assert millions(network) == pytest.approx(PLANE_MILLIONS[preset], abs=0.001)


@pytest.mark.parametrize("preset", PRESETS)
def test_the_fusion_network_of_every_preset_keeps_the_shape_of_a_volume(preset):
    with torch.device("meta"):
        network = FusionNetwork(fusion_unet(preset)).eval()
        x, branches = torch.zeros(1, 1, 16, 24, 32), torch.zeros(1, 2, 16, 24, 32)
        fused = network(x, x, branches, torch.zeros(1))
    assert fused.prediction.shape == fused.residual.shape == (1, 1, 16, 24, 32)
    assert fused.weights.shape == (1, 2, 16, 24, 32)
    assert millions(network) == pytest.approx(FUSION_MILLIONS[preset], abs=0.001)


@pytest.mark.parametrize("preset", ["compact", "paper"])
def test_the_fusion_network_takes_the_features_of_both_planes_at_every_level(preset):
    widths = tuple(2 * c for c in plane_unet(preset).channels)
    with torch.device("meta"):
        config = fusion_unet(preset, inject=widths[: len(fusion_unet(preset).channels)])
        network = FusionNetwork(config).eval()
        x, branches = torch.zeros(1, 1, 16, 16, 16), torch.zeros(1, 2, 16, 16, 16)
        features = [
            torch.zeros(1, width, *(16 // (config.stem * 2**i),) * 3)
            for i, width in enumerate(config.inject_channels)
        ]
        assert network(x, x, branches, torch.zeros(1), features).prediction.shape == x.shape


def test_unknown_presets_are_named_with_those_that_exist():
    with pytest.raises(SettingsError, match="'huge', accepted are paper, paper-small, compact"):
        plane_unet("huge")
    with pytest.raises(SettingsError, match="'huge', accepted are paper, paper-small, compact"):
        fusion_unet("huge")


@pytest.mark.parametrize(("config", "size"), [(PLANE, (16, 24)), (REGRESSION, (8, 16, 12))])
def test_an_untrained_network_returns_zero_whatever_it_sees(config, size):
    network = UNet(config)
    label = torch.zeros(2, dtype=torch.int64) if config.labels else None
    out, _ = network(torch.randn(2, config.in_channels, *size), torch.rand(2), label)
    assert not out.any()


@pytest.mark.parametrize(("config", "size"), [(PLANE, (16, 24)), (REGRESSION, (8, 16, 12))])
def test_channels_last_memory_gives_the_same_output(config, size):
    torch.manual_seed(0)
    network = stirred(UNet(config)).eval()
    label = torch.zeros(2, dtype=torch.int64) if config.labels else None
    x, t = torch.randn(2, config.in_channels, *size), torch.rand(2)
    with torch.inference_mode():
        plain = network(x, t, label)[0]
        fast = channels_last(network, config.dims)(x, t, label)[0]
    assert plain.abs().max() > 0.01
    assert torch.allclose(plain, fast, atol=1e-5)


def test_sizes_must_be_divisible_by_the_multiple_and_work_when_they_are():
    assert PLANE.multiple == 4
    assert UNetConfig(3, 1, 1, (16, 16, 16), (1, 1, 1), (1, 1, 1)).multiple == 4
    network = UNet(PLANE)
    with pytest.raises(RuntimeError):
        network(torch.zeros(1, 2, 15, 16), torch.zeros(1), torch.zeros(1, dtype=torch.int64))
    assert (
        network(torch.zeros(1, 2, 4, 8), torch.zeros(1), torch.zeros(1, dtype=torch.int64))[0].shape[-1] == 8
    )


def test_gradient_checkpoints_change_neither_output_nor_gradient():
    torch.manual_seed(0)
    x, branches, t = torch.randn(1, 1, 8, 8, 8), torch.randn(1, 2, 8, 8, 8), torch.rand(1)
    results = []
    for checkpoint in (False, True):
        torch.manual_seed(1)
        network = stirred(FusionNetwork(replace(FUSION, inject_channels=(), checkpoint=checkpoint))).train()
        out = network(x, x, branches, t).prediction
        out.square().sum().backward()
        results.append((out.detach(), network.unet.stem.weight.grad))
    assert torch.allclose(results[0][0], results[1][0], atol=1e-6)
    assert torch.allclose(results[0][1], results[1][1], rtol=1e-4, atol=1e-5)
