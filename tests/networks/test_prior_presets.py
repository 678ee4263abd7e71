from dataclasses import replace

import pytest
import torch

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.networks.presets import prior_network
from napari_vol2vol.networks.unet import UNet, UNetConfig


def test_the_papers_preset_has_the_widths_of_adm():
    paper = prior_network("paper")
    assert paper.channels == tuple(256 * factor for factor in (1, 1, 2, 2, 4, 4))
    assert paper.attention == (4,)  # 16 x 16 of 256 x 256
    assert (paper.multiple, paper.in_channels, paper.out_channels, paper.labels) == (32, 1, 1, 0)


@pytest.mark.parametrize("preset", ["paper-small", "compact", "compact-slim"])
@pytest.mark.parametrize("channels", [1, 2])
def test_priors_are_unconditional_and_keep_the_channels(preset, channels):
    network = UNet(prior_network(preset, channels)).eval()
    with torch.inference_mode():
        output, _ = network(torch.randn(1, channels, 32, 32), torch.tensor([0.5]))
    assert output.shape == (1, channels, 32, 32)


def test_attention_lets_far_pixels_see_each_other():
    torch.manual_seed(0)
    config = UNetConfig(2, 1, 1, (16, 16), (1, 1), (1, 1), attention=(1,), head_channels=8)
    network = UNet(config).eval()
    plain = UNet(replace(config, attention=())).eval()
    assert {k for k in network.state_dict() if "attention" in k}
    assert not {k for k in plain.state_dict() if "attention" in k}  # weights without it still fit
    for module in network.modules():  # what starts at zero must not hide the effect
        if isinstance(module, torch.nn.Conv2d) and not module.weight.any():
            torch.nn.init.normal_(module.weight, std=0.1)
    plain.load_state_dict({k: v for k, v in network.state_dict().items() if "attention" not in k})
    x = torch.randn(1, 1, 64, 64)
    changed = x.clone()
    changed[..., :3, :3] += 10

    def seen(net):
        with torch.inference_mode():
            a, b = (net(image, torch.tensor([0.5]))[0] for image in (x, changed))
        return float((a - b)[..., -4:, -4:].abs().max())

    def without_normalisation(net):
        for module in net.modules():  # group normalisation mixes all pixels by itself
            if isinstance(module, torch.nn.GroupNorm):
                module.forward = lambda h: h
        return net

    assert seen(without_normalisation(plain)) == 0
    assert seen(without_normalisation(network)) > 0


def test_unknown_presets_and_channels_are_named():
    with pytest.raises(SettingsError, match="prior preset: found 'huge', accepted are paper, paper-small"):
        prior_network("huge")
    with pytest.raises(SettingsError, match="channels: found 3, accepted are 1"):
        prior_network("compact", 3)
