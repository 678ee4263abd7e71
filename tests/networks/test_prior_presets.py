import pytest
import torch

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.networks.presets import prior_network
from napari_vol2vol.networks.unet import UNet


def test_the_papers_preset_has_the_widths_of_adm():
    paper = prior_network("paper")
    assert paper.channels == tuple(256 * factor for factor in (1, 1, 2, 2, 4, 4))
    assert (paper.multiple, paper.in_channels, paper.out_channels, paper.labels) == (32, 1, 1, 0)


@pytest.mark.parametrize("preset", ["paper-small", "compact", "compact-slim"])
@pytest.mark.parametrize("channels", [1, 2])
def test_priors_are_unconditional_and_keep_the_channels(preset, channels):
    network = UNet(prior_network(preset, channels)).eval()
    with torch.inference_mode():
        output, _ = network(torch.randn(1, channels, 32, 32), torch.tensor([0.5]))
    assert output.shape == (1, channels, 32, 32)


def test_unknown_presets_and_channels_are_named():
    with pytest.raises(SettingsError, match="prior preset: found 'huge', accepted are paper, paper-small"):
        prior_network("huge")
    with pytest.raises(SettingsError, match="channels: found 3, accepted are 1"):
        prior_network("compact", 3)
