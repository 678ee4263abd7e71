import pytest
import torch
from torch import nn

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.networks.blocks import channels_last
from napari_vol2vol.sampling.low_rank import LowRankWeights, adaptable_layers
from sampling.small_prior import small_network

ARGUMENTS = torch.randn(2, 1, 16, 16), torch.full((2,), 0.5), torch.zeros(2, dtype=torch.int64)


def train(network, weights, steps=2, rate=1e-2):
    optimiser = torch.optim.AdamW(weights.parameters(), lr=rate)
    losses = []
    for _ in range(steps):
        loss = network(*ARGUMENTS)[0].square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    return losses


@pytest.fixture
def network():
    return channels_last(small_network(), 2)


@pytest.fixture
def untouched(network):
    """Fail unless the network has the very weights it had, bit by bit, in the same memory."""
    before = {name: (p, p.clone(), p.data_ptr(), p.stride()) for name, p in network.named_parameters()}
    kinds = {name: type(m) for name, m in network.named_modules()}
    answer = network(*ARGUMENTS)[0]
    yield
    after = dict(network.named_parameters())
    assert set(after) == set(before)
    for name, (parameter, copy, pointer, stride) in before.items():
        assert after[name] is parameter
        assert torch.equal(parameter, copy)
        assert (parameter.data_ptr(), parameter.stride()) == (pointer, stride)
        assert not parameter.requires_grad
        assert parameter.grad is None
    assert {name: type(m) for name, m in network.named_modules()} == kinds
    assert torch.equal(network(*ARGUMENTS)[0], answer)


def test_the_change_is_nothing_at_first_and_gone_in_the_end(network, untouched):
    answer = network(*ARGUMENTS)[0]
    with LowRankWeights(network) as weights:
        assert torch.equal(network(*ARGUMENTS)[0], answer)
        assert train(network, weights)[1] < train(network, weights)[0] * 2
        assert not torch.allclose(network(*ARGUMENTS)[0], answer)


@pytest.mark.parametrize("error", [ValueError, RuntimeError, KeyboardInterrupt, GeneratorExit])
def test_weights_come_back_after_errors_and_cancels(network, untouched, error):
    with pytest.raises(error), LowRankWeights(network, layers="all") as weights:  # noqa: PT012
        train(network, weights)
        raise error


def test_weights_come_back_when_entering_fails(network, untouched, monkeypatch):
    monkeypatch.setattr(LowRankWeights, "reset", lambda self: 1 / 0)
    with pytest.raises(ZeroDivisionError), LowRankWeights(network):
        pass


def test_only_the_factors_are_trained_and_they_have_the_rank(network, untouched):
    with LowRankWeights(network, rank=3) as weights:
        trained = [p for p in network.parameters() if p.requires_grad]
        assert {id(p) for p in trained} == {id(p) for p in weights.parameters()}
        train(network, weights, 3)
        for module in adaptable_layers(network):
            own = module.parametrizations["weight"].original
            change = (module.weight - own).reshape(len(own), -1)
            singular = torch.linalg.svdvals(change.detach())
            assert singular[0] > 0
            assert singular[3:].max() < 1e-5 * singular[0] if len(singular) > 3 else True


def test_it_works_inside_inference_mode_and_autocast(network, untouched):
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16), LowRankWeights(network) as weights:
        before = network(*ARGUMENTS)[0]
        with torch.inference_mode(False), torch.enable_grad():
            losses = train(network, weights, 4)
        assert losses[3] < 0.8 * losses[0]
        assert not torch.equal(network(*ARGUMENTS)[0], before)


def test_states_can_be_kept_and_put_back(network, untouched):
    with LowRankWeights(network) as weights:
        start = weights.state()
        train(network, weights)
        changed, answer = weights.state(), network(*ARGUMENTS)[0].detach()
        weights.reset()
        assert all(torch.equal(a, b) for a, b in zip(weights.state(), start, strict=True))
        weights.load(changed)
        assert torch.equal(network(*ARGUMENTS)[0].detach(), answer)


def test_blocks_leave_out_the_first_and_the_last_layer(network):
    blocks, everything = (adaptable_layers(network, which) for which in ("blocks", "all"))
    assert network.stem not in blocks
    assert network.out not in blocks
    assert {network.stem, network.out, *blocks} < set(everything)
    assert all(isinstance(m, nn.Conv2d | nn.Linear) for m in everything)


def test_bad_requests_name_the_field(network, untouched):
    with pytest.raises(SettingsError, match="rank: found 0"):
        LowRankWeights(network, rank=0)
    with pytest.raises(SettingsError, match="layers: found 'some', accepted are blocks, all"):
        LowRankWeights(network, layers="some")
    with pytest.raises(SettingsError, match="no convolution or linear map in 'blocks' of ReLU"):
        LowRankWeights(nn.ReLU())
    with LowRankWeights(network):
        with pytest.raises(SettingsError, match="changed already"), LowRankWeights(network):
            pass
        assert adaptable_layers(network)[0].parametrizations
