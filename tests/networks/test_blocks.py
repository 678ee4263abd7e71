import pytest
import torch
from torch.nn import functional as F

from napari_vol2vol.networks.blocks import TimeEmbedding, depth_to_space, groups, space_to_depth


@pytest.mark.parametrize("shape", [(2, 3, 8, 12), (2, 3, 4, 8, 12)])
@pytest.mark.parametrize("factor", [1, 2, 4])
def test_depth_to_space_inverts_space_to_depth(shape, factor):
    x = torch.randn(shape)
    deep = space_to_depth(x, factor)
    dims = len(shape) - 2
    assert deep.shape == (2, 3 * factor**dims, *(n // factor for n in shape[2:]))
    assert torch.equal(depth_to_space(deep, factor), x)


def test_space_to_depth_in_2d_is_torchs_pixel_unshuffle():
    x = torch.randn(2, 3, 8, 12)
    assert torch.equal(space_to_depth(x, 2), F.pixel_unshuffle(x, 2))
    assert torch.equal(depth_to_space(space_to_depth(x, 2), 2), F.pixel_shuffle(F.pixel_unshuffle(x, 2), 2))


def test_space_to_depth_in_3d_keeps_the_channel_order_of_pixel_unshuffle():
    plane = torch.randn(1, 2, 6, 10)
    volume = plane[:, :, None].repeat_interleave(2, dim=2)
    deep = space_to_depth(volume, 2)  # channel, then the offset along z, y, x
    flat = F.pixel_unshuffle(plane, 2).reshape(1, 2, 4, 3, 5)
    for offset_z in range(2):
        assert torch.equal(deep.reshape(1, 2, 2, 4, 1, 3, 5)[:, :, offset_z, :, 0], flat)


def test_a_network_with_plane_labels_asks_for_its_label():
    embed = TimeEmbedding(16, 32, labels=3)
    t = torch.tensor([0.2, 0.8])
    with pytest.raises(ValueError, match="label is missing"):
        embed(t)
    axial, sagittal = (embed(t, torch.full((2,), i)) for i in (0, 2))
    assert not torch.allclose(axial, sagittal)


def test_different_times_have_different_embeddings():
    embed = TimeEmbedding(16, 32)
    assert embed(torch.linspace(0, 1, 50)).unique(dim=0).shape[0] == 50


@pytest.mark.parametrize("channels", [8, 32, 48, 64, 96, 128, 512])
def test_normalisation_groups_divide_the_channels(channels):
    assert channels % groups(channels) == 0
