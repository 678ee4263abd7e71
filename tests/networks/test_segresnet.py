import pytest
import torch

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.networks.segresnet import SegResNet, SegResNetConfig, segresnet

REGIONS = ("background", "GM", "WM")
TINY = SegResNetConfig(2, REGIONS, filters=8, blocks_down=(1, 1, 1), blocks_up=(1, 1))


@pytest.fixture
def network():
    torch.manual_seed(0)
    return SegResNet(TINY).eval()


def test_there_is_one_channel_a_region_at_full_resolution(network):
    assert network(torch.zeros(2, 2, 16, 24, 8)).shape == (2, 3, 16, 24, 8)
    assert TINY.multiple == 8


def test_features_are_the_mean_of_the_deepest_layer(network):
    x = torch.randn(2, 2, 16, 16, 16)
    seen = {}
    network.net.down_layers[-1].register_forward_hook(lambda module, given, answer: seen.update(deep=answer))
    features = network.features(x)
    assert features.shape == (2, TINY.width) == (2, 32)
    assert seen["deep"].shape == (2, 32, 2, 2, 2)
    assert torch.allclose(features, seen["deep"].mean((2, 3, 4)), atol=1e-6)


def test_every_output_voxel_sees_its_own_input_voxel(network):
    x = torch.randn(1, 2, 16, 16, 16, generator=torch.Generator().manual_seed(1)).requires_grad_()
    network(x)[0, 1, 5, 6, 7].backward()
    assert x.grad[0, :, 5, 6, 7].abs().min() > 0


def test_every_parameter_gets_a_gradient(network):
    network(torch.randn(1, 2, 16, 16, 16)).square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in network.parameters())


def test_the_compact_network_fits_into_four_mib_at_two_bytes_a_number():
    config = segresnet("compact", 2, ("background", *"abcdef"))
    assert 1e6 < sum(p.numel() for p in SegResNet(config).parameters()) < 2 * 2**20


def test_an_unknown_preset_is_named():
    with pytest.raises(SettingsError, match="SegResNet preset: found 'huge', accepted are compact, large"):
        segresnet("huge", 2, REGIONS)
