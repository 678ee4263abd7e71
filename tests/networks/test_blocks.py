import pytest
import torch
from torch.nn import functional as F

from napari_vol2vol.networks.blocks import (
    TimeEmbedding,
    conv,
    conv_of_depth,
    depth_to_space,
    groups,
    plus,
    space_to_depth,
    times_plus,
)


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


@pytest.mark.parametrize("factor", [1, 2, 4])
@pytest.mark.parametrize("size", [(8, 12), (4, 8, 12)])
def test_a_convolution_of_space_to_depth_in_one_step_is_the_same(size, factor):
    x = torch.randn(2, 3, *size)
    layer = conv(len(size), 3 * factor ** len(size), 5)
    with torch.no_grad():
        torch.testing.assert_close(
            conv_of_depth(layer, x, factor), layer(space_to_depth(x, factor)), atol=1e-5, rtol=1e-5
        )


@pytest.mark.parametrize("size", [(6, 10), (5, 7), (4, 6, 10)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("memory", [torch.contiguous_format, "channels last"])
def test_a_scale_and_shift_without_gradients_has_the_values_of_one_with_them(size, dtype, memory):
    if memory == "channels last":
        memory = torch.channels_last if len(size) == 2 else torch.channels_last_3d
    h = torch.randn(2, 6, *size).to(dtype).contiguous(memory_format=memory)
    a, b = (torch.randn(2, 6, *[1] * len(size)).to(dtype) for _ in range(2))
    expected = times_plus(a, h, b)
    with torch.no_grad():
        found = times_plus(a, h, b)
    assert found is h  # overwritten
    assert torch.equal(found, expected)


def test_a_sum_overwrites_its_first_part_only_without_gradients():
    own, other = torch.ones(3), torch.ones(3)
    assert plus(own, other) is not own
    with torch.no_grad():
        assert plus(own.bfloat16(), other).dtype == torch.float32
        assert plus(own, other) is own
    assert torch.equal(own, torch.full((3,), 2.0))


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
