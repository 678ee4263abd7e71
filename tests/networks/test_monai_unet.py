import pytest
import torch

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.networks.blocks import channels_last
from napari_vol2vol.networks.monai_unet import MonaiUNet, MonaiUNetConfig, monai_unet
from napari_vol2vol.training.export import MAX_BYTES

TINY = {
    2: MonaiUNetConfig(2, 1, 1, (8, 16), (2,), last=8, labels=3),
    3: MonaiUNetConfig(3, 2, 1, (8, 16), (2,)),
}


@pytest.mark.parametrize("cells", [1, 3])
@pytest.mark.parametrize("dims", [2, 3])
def test_any_size_divisible_by_the_multiple_keeps_its_shape(dims, cells):
    torch.manual_seed(0)
    network = MonaiUNet(TINY[dims])
    x = torch.randn(2, TINY[dims].in_channels, *[cells * TINY[dims].multiple] * (dims - 1), 8)
    label = torch.zeros(2, dtype=torch.int64) if dims == 2 else None
    output, features = network(x, None, label)
    assert output.shape == (2, 1, *x.shape[2:])
    assert features == []


def test_every_parameter_has_a_gradient():
    torch.manual_seed(0)
    network = MonaiUNet(TINY[2])
    network(torch.randn(2, 1, 8, 8), None, torch.tensor([0, 2]))[0].square().mean().backward()
    assert all(p.grad is not None and p.grad.any() for p in network.parameters())


def test_slices_are_independent_and_the_plane_matters():
    torch.manual_seed(0)
    network = MonaiUNet(TINY[2]).eval()
    x, label = torch.randn(3, 1, 8, 8), torch.tensor([0, 1, 2])
    whole, _ = network(x, None, label)
    alone, _ = network(x[1:2], None, label[1:2])
    other, _ = network(x[1:2], None, label[2:])
    assert torch.allclose(whole[1:2], alone, atol=1e-6)
    assert not torch.allclose(alone, other, atol=1e-3)


def test_a_network_with_labels_refuses_to_guess_the_plane():
    with pytest.raises(ValueError, match="label is missing"):
        MonaiUNet(TINY[2])(torch.randn(1, 1, 8, 8))


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("preset", ["compact", "large"])
def test_presets_fit_a_bundle_and_say_what_they_need(preset, dims):
    config = monai_unet(preset, dims, 1)
    network = channels_last(MonaiUNet(config), dims)
    assert 2 * sum(p.numel() for p in network.parameters()) < MAX_BYTES
    assert config.multiple == (4 if preset == "compact" else 8)
    assert config.stem == 2


def test_an_unknown_preset_is_named():
    with pytest.raises(SettingsError, match="found 'magic', accepted are compact, large"):
        monai_unet("magic", 2, 1)
