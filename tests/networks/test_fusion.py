from dataclasses import replace

import pytest
import torch

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.networks.fusion import FusionNetwork
from tiny_bundles import FUSION, stirred

SIZE = (8, 12, 16)


def inputs(seed=0):
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(shape, generator=generator)

    features = [
        draw(2, width, *(n // (FUSION.stem * 2**i) for n in SIZE))
        for i, width in enumerate(FUSION.inject_channels)
    ]
    return draw(2, 1, *SIZE), draw(2, 1, *SIZE), draw(2, 2, *SIZE), torch.tensor([0.2, 0.9]), features


@pytest.mark.parametrize("fusion_lambda", [0.0, 1.0, 3.0])
@pytest.mark.parametrize("injects", [True, False])
def test_fusion_starts_as_the_exact_average(injects, fusion_lambda):
    network = FusionNetwork(FUSION if injects else replace(FUSION, inject_channels=()))
    x_t, condition, branches, t, features = inputs()
    fused = network(x_t, condition, branches, t, features if injects else (), fusion_lambda)
    assert torch.allclose(fused.prediction, branches.mean(1, keepdim=True), atol=1e-6)
    assert torch.equal(fused.weights, torch.full_like(branches, 0.5))
    assert not fused.residual.any()


def test_the_weights_sum_to_one_after_training_too():
    fused = stirred(FusionNetwork(FUSION))(*inputs())
    assert (fused.weights - 0.5).abs().max() > 1e-3
    assert torch.allclose(fused.weights.sum(1), torch.ones(2, *SIZE), atol=1e-6)


def test_the_prediction_is_equation_4_for_any_lambda():
    network, case = stirred(FusionNetwork(FUSION)), inputs()
    branches = case[2]
    for fusion_lambda in (0.0, 0.5, 2.0):
        fused = network(*case, fusion_lambda)
        w = fused.weights[:, :1] - 0.5
        expected = (0.5 + w) * branches[:, :1] + (0.5 - w) * branches[:, 1:] + fusion_lambda * fused.residual
        assert torch.allclose(fused.prediction, expected, atol=1e-6)


def test_equal_branches_come_through_unchanged_but_for_the_residual():
    x_t, condition, branches, t, features = inputs()
    same = branches[:, :1].expand(-1, 2, -1, -1, -1)
    fused = stirred(FusionNetwork(FUSION))(x_t, condition, same, t, features, 0.0)
    assert torch.allclose(fused.prediction, same[:, :1], atol=1e-5)


def test_the_gradient_reaches_every_parameter_once_the_zero_layers_are_stirred():
    network = stirred(FusionNetwork(FUSION))
    network(*inputs()).prediction.square().sum().backward()
    silent = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert silent == []


def test_an_untrained_network_learns_its_last_layer_first():
    network = FusionNetwork(FUSION)
    (network(*inputs()).prediction - 1).square().sum().backward()
    assert network.unet.out.weight.grad.any()
    assert not network.unet.stem.weight.grad.any()


def test_injected_features_change_the_result_once_their_alignment_is_trained():
    network = stirred(FusionNetwork(FUSION))
    x_t, condition, branches, t, features = inputs()
    with torch.inference_mode():
        one = network(x_t, condition, branches, t, features).prediction
        other = network(x_t, condition, branches, t, [2 * f for f in features]).prediction
    assert (one - other).abs().max() > 1e-4


@pytest.mark.parametrize("count", [2, 3, 4])
@pytest.mark.parametrize("alignment", ["mlp", "convolution"])
def test_any_number_of_branches_starts_as_the_average_and_its_weights_keep_summing_to_one(count, alignment):
    config = replace(FUSION, in_channels=2 + count, out_channels=count, alignment=alignment)
    x_t, condition, _, t, features = inputs()
    branches = torch.randn(2, count, *SIZE)
    fresh = FusionNetwork(config)(x_t, condition, branches, t, features)
    assert torch.allclose(fresh.prediction, branches.mean(1, keepdim=True), atol=1e-6)
    trained = stirred(FusionNetwork(config))(x_t, condition, branches, t, features, 0.5)
    assert (trained.weights - 1 / count).abs().max() > 1e-3
    assert torch.allclose(trained.weights.sum(1), torch.ones(2, *SIZE), atol=1e-5)
    expected = (trained.weights * branches).sum(1, keepdim=True) + 0.5 * trained.residual
    assert torch.allclose(trained.prediction, expected, atol=1e-5)


def test_diff_ensembler_aligns_features_with_one_convolution_and_score_fusion_per_voxel():
    convolution = FusionNetwork(replace(FUSION, alignment="convolution")).unet.inject[0]
    layers = [m for m in convolution.modules() if isinstance(m, torch.nn.Conv3d)]
    assert [layer.kernel_size for layer in layers] == [(3, 3, 3)]
    mlp = FusionNetwork(FUSION).unet.inject[0]
    assert [m.kernel_size for m in mlp.modules() if isinstance(m, torch.nn.Conv3d)] == [(1, 1, 1)] * 2
    with pytest.raises(SettingsError, match="alignment: found 'none', accepted are mlp, convolution"):
        FusionNetwork(replace(FUSION, alignment="none"))
