import pytest
import torch
from torch import nn

from napari_vol2vol.sampling.slabs import in_slabs


@pytest.fixture(scope="module")
def convolutions():
    """Three convolutions without normalisation, reach 3, on two inputs, one of them at half resolution."""
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv3d(3, 8, 3, padding=1), nn.SiLU(), nn.Conv3d(8, 8, 3, padding=1), nn.SiLU())
    last = nn.Conv3d(8, 2, 3, padding=1)
    depths = []

    def run(volumes):
        fine, coarse = volumes
        depths.append(fine.shape[1])
        coarse = coarse.repeat_interleave(2, 1).repeat_interleave(2, 2).repeat_interleave(2, 3)
        out = last(layers(torch.cat([fine, coarse])[None]))[0]
        return [out[:1], out[1:]]

    run.depths = depths
    return run


@pytest.mark.parametrize("depth", [32, 40, 64])
@pytest.mark.parametrize("slab", [4, 8, 10, 24])
def test_slabs_equal_the_whole_volume_where_the_reach_is_within_the_halo(convolutions, slab, depth):
    volumes = [torch.randn(1, depth, 8, 8), torch.randn(2, depth // 2, 4, 4)]
    with torch.inference_mode():
        whole = in_slabs(convolutions, volumes, [1, 2], None, 4)
        convolutions.depths.clear()
        parts = in_slabs(convolutions, volumes, [1, 2], slab, 4, halo=4)
    assert max(convolutions.depths) <= max(slab, 4) + 8
    for one, two in zip(whole, parts, strict=True):
        assert one.shape == two.shape
        assert torch.allclose(one, two, atol=1e-5)


def test_without_a_halo_the_seams_would_show(convolutions):
    volumes = [torch.randn(1, 32, 8, 8), torch.randn(2, 16, 4, 4)]
    with torch.inference_mode():
        whole = in_slabs(convolutions, volumes, [1, 2], None, 4)
        parts = in_slabs(convolutions, volumes, [1, 2], 8, 4, halo=0)
    assert (whole[0] - parts[0]).abs().max() > 1e-3


@pytest.mark.parametrize("slab", [None, 32, 100])
def test_a_slab_as_deep_as_the_volume_is_one_call(convolutions, slab):
    convolutions.depths.clear()
    in_slabs(convolutions, [torch.randn(1, 32, 8, 8), torch.randn(2, 16, 4, 4)], [1, 2], slab, 4)
    assert convolutions.depths == [32]
