import pytest
import torch

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.networks.adm import Adm, AdmConfig
from napari_vol2vol.networks.presets import prior_network
from napari_vol2vol.networks.unet import UNetConfig
from napari_vol2vol.sampling.low_rank import LowRankWeights, adaptable_layers

TINY = AdmConfig(2, 2, 2, (8, 16), (False, True), head_channels=8, groups=4)


def tiny():
    torch.manual_seed(0)
    network = Adm(TINY)
    for parameter in network.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.1)
    return network.eval().requires_grad_(False)


def test_it_is_called_and_answers_as_the_other_networks():
    output, features = tiny()(
        torch.randn(3, 2, 12, 8), torch.full((3,), 0.5), torch.zeros(3, dtype=torch.int64)
    )
    assert output.shape == (3, 2, 12, 8)
    assert features == []


def test_the_answer_depends_on_the_time():
    x = torch.randn(1, 2, 8, 8)
    early, late = (tiny()(x, torch.tensor([t]))[0] for t in (0.1, 0.9))
    assert not torch.allclose(early, late, atol=1e-3)


def test_low_rank_changes_go_into_its_residual_and_attention_blocks_and_leave_no_trace():
    network = tiny()
    x, t = torch.randn(1, 2, 8, 8), torch.tensor([0.5])
    before = network(x, t)[0]
    assert 0 < len(adaptable_layers(network)) < len(adaptable_layers(network, "all"))
    with LowRankWeights(network, rank=2) as weights:
        assert torch.equal(network(x, t)[0], before)
        for parameter in weights.parameters():
            parameter.data.fill_(0.1)
        assert not torch.allclose(network(x, t)[0], before, atol=1e-3)
    assert torch.equal(network(x, t)[0], before)


def test_presets_name_the_papers_network_and_the_compact_ones():
    paper, compact = prior_network("paper"), prior_network("compact-slim", 2)
    assert isinstance(paper, AdmConfig)
    assert (paper.channels[0], paper.channels[-1], paper.multiple) == (256, 1024, 32)
    assert isinstance(compact, UNetConfig)
    assert (compact.in_channels, compact.out_channels, compact.labels) == (2, 2, 0)
    with pytest.raises(SettingsError, match="prior preset: found 'huge', accepted are paper, paper-small"):
        prior_network("huge")
    with pytest.raises(SettingsError, match="channels: found 3, accepted are 1"):
        prior_network("compact", 3)
