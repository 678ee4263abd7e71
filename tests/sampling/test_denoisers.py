import pytest
import torch

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.networks.fusion import FusionNetwork
from napari_vol2vol.networks.unet import UNet
from napari_vol2vol.physics import BlockAverage
from napari_vol2vol.sampling.branches import Branch, Diffused, plane_model
from napari_vol2vol.sampling.consistency import projected
from napari_vol2vol.sampling.denoisers import averaged, fused, plane_denoiser
from tiny_bundles import FUSION, PLANE, stirred

SHAPE = (16, 12, 20)
SCALES = (2, 4)
CONDITION = torch.randn(SHAPE, generator=torch.Generator().manual_seed(5))


@pytest.fixture(scope="module")
def models():
    torch.manual_seed(0)
    return at_work(stirred(UNet(PLANE)).eval().requires_grad_(False), Diffused(), CONDITION)


def at_work(network, diffused, condition, **settings):
    branches = [Branch(network, plane, diffused) for plane in ("axial", "sagittal")]
    return [plane_model(branch, {"base": condition}, diffused, **settings) for branch in branches]


def draw(seed=0):
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed))


def test_denoisers_are_averaged_with_their_weights_on_the_same_x_t():
    seen = []

    def constant(value):
        def denoise(x_t, t):
            seen.append((x_t.clone(), t))
            return torch.full_like(x_t, value)

        return denoise

    taps = {}
    parts = {"axial": constant(1.0), "coronal": constant(2.0), "sagittal": constant(6.0)}
    x_t = draw()
    assert torch.allclose(averaged(parts)(x_t, 0.5), torch.tensor(3.0))
    assert all(torch.equal(x, x_t) and t == 0.5 for x, t in seen)
    weighted = averaged(parts, [0.5, 0.25, 0.25], tap=taps.__setitem__)(x_t, 0.5)
    assert torch.allclose(weighted, torch.tensor(2.5))
    assert {name: float(v.mean()) for name, v in taps.items()} == {"axial": 1, "coronal": 2, "sagittal": 6}


@pytest.mark.parametrize("weights", [[1.0], [0.7, 0.7], [0.5, 0.4]])
def test_weights_that_do_not_sum_to_one_are_refused(weights):
    with pytest.raises(SettingsError, match="sum to one"):
        averaged({"a": lambda x, t: x, "b": lambda x, t: x}, weights)


@pytest.mark.parametrize("t", [0.05, 0.5, 0.9])
@pytest.mark.parametrize("prediction", ["epsilon", "x0", "v"])
def test_an_untrained_fusion_is_the_average_of_its_planes(models, prediction, t):
    parts = at_work(models[0].branch.network, Diffused(prediction=prediction), CONDITION)
    average = averaged({m.plane: plane_denoiser(m) for m in parts})
    with torch.inference_mode():
        expected = average(draw(), t)
        found = fused(parts, FusionNetwork(FUSION).eval(), SCALES, CONDITION[None])(draw(), t)
    assert torch.allclose(found, expected, atol=1e-5 * float(expected.abs().max()))


def test_the_taps_of_fusion_are_the_planes_the_weight_and_the_residual(models):
    taps, network = {}, stirred(FusionNetwork(FUSION)).eval()
    with torch.inference_mode():
        denoiser = fused(models, network, SCALES, CONDITION[None], tap=taps.__setitem__)
        result = denoiser(draw(), 0.5)
    assert set(taps) == {"axial", "sagittal", "w", "R"}
    assert all(v.shape == SHAPE for v in taps.values())
    assert taps["w"].abs().max() > 1e-3
    # eq. 4 in x0 space: x0 is affine in v, so the weights carry over; R counts with -sigma (v prediction)
    _, sigma = models[0].shared.schedule(torch.tensor(0.5))
    expected = (
        (0.5 + taps["w"]) * taps["axial"] + (0.5 - taps["w"]) * taps["sagittal"] - float(sigma) * taps["R"]
    )
    assert torch.allclose(result, expected, atol=1e-4)


def test_plane_models_are_ticked_and_so_is_the_fusion_network(models):
    ticks = []
    network = models[0].branch.network
    parts = at_work(network, Diffused(), CONDITION, slice_batch=8, tick=lambda: ticks.append(1))
    with torch.inference_mode():
        fused(parts, FusionNetwork(FUSION).eval(), SCALES, CONDITION[None])(draw(), 0.5)
    assert len(ticks) == 2 + 3 + 1  # 16 axial and 20 sagittal slices in eights, then one 3D call


def test_projection_honours_the_measurement_and_is_idempotent():
    operator, y = BlockAverage((4, 4, 4)), torch.randn(4, 3, 5)
    once = projected(lambda x_t, t: x_t, operator, y)
    first = once(draw(), 0.5)
    assert torch.allclose(operator(first), y, atol=1e-5)
    assert torch.allclose(once(first, 0.5), first, atol=1e-5)


def test_projection_changes_nothing_inside_the_blocks():
    operator, x = BlockAverage((4, 4, 4)), draw()
    change = projected(lambda x_t, t: x_t, operator, torch.zeros(4, 3, 5))(x, 0.5) - x
    blocks = change.reshape(4, 4, 3, 4, 5, 4)
    assert torch.allclose(blocks.amax((1, 3, 5)), blocks.amin((1, 3, 5)), atol=1e-6)
