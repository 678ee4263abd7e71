import pytest
import torch
from torch import nn

from napari_vol2vol.networks.unet import UNet
from napari_vol2vol.sampling.planes import PLANES, apply_plane, as_slices, as_volume, joined, with_neighbours
from tiny_bundles import PLANE, stirred

SHAPE = (8, 12, 16)
AXIS = {"axial": 0, "coronal": 1, "sagittal": 2}


class Spy(nn.Module):
    """Returns the first channel, and notes the shape, label and time of every call."""

    def __init__(self, levels=0):
        super().__init__()
        self.calls, self.levels = [], levels

    def forward(self, x, t, label):
        self.calls.append((tuple(x.shape), label.tolist(), t.tolist()))
        return x[:, :1], [x[:, :, :: 2**i, :: 2**i] for i in range(self.levels)]


def index_along(plane):
    """A volume whose voxels hold the index of their slice in a plane."""
    axis = AXIS[plane]
    shape = [1, 1, 1]
    shape[axis] = SHAPE[axis]
    return torch.arange(float(SHAPE[axis])).reshape(shape).expand(SHAPE)


@pytest.mark.parametrize("plane", PLANES)
def test_every_plane_stacks_along_the_axis_it_names(plane):
    slices = as_slices(index_along(plane)[None], plane)
    in_plane = [n for i, n in enumerate(SHAPE) if i != AXIS[plane]]
    assert slices.shape == (SHAPE[AXIS[plane]], 1, *in_plane)
    for i, piece in enumerate(slices):
        assert (piece == i).all()
    assert torch.equal(as_volume(slices, plane)[0], index_along(plane))


def test_in_plane_axes_keep_their_order_and_direction():
    volume = torch.arange(float(8 * 12 * 16)).reshape(1, *SHAPE)
    assert torch.equal(as_slices(volume, "axial")[3, 0], volume[0, 3])
    assert torch.equal(as_slices(volume, "coronal")[3, 0], volume[0, :, 3])
    assert torch.equal(as_slices(volume, "sagittal")[3, 0], volume[0, :, :, 3])


@pytest.mark.parametrize("plane", PLANES)
def test_the_network_is_told_its_plane_and_time_and_every_slice_comes_back_in_place(plane):
    spy = Spy()
    inputs = torch.stack([torch.randn(SHAPE), index_along(plane)])
    out = apply_plane(spy, inputs, 0.25, plane, slice_batch=5)
    assert torch.equal(out.prediction, inputs[0])
    assert sum(shape[0] for shape, _, _ in spy.calls) == SHAPE[AXIS[plane]]
    assert {v for _, label, _ in spy.calls for v in label} == {PLANES.index(plane)}
    assert {v for _, _, t in spy.calls for v in t} == {0.25}


@pytest.mark.parametrize("slice_batch", [1, 3, 4, 100])
def test_no_call_sees_more_slices_than_the_slice_batch(slice_batch):
    spy = Spy()
    apply_plane(spy, torch.randn(1, *SHAPE), 0.5, "coronal", slice_batch=slice_batch)
    assert max(shape[0] for shape, _, _ in spy.calls) == min(slice_batch, 12)


@pytest.mark.parametrize("plane", PLANES)
def test_the_slice_batch_does_not_change_prediction_or_features(plane):
    torch.manual_seed(0)
    network, inputs = stirred(UNet(PLANE)).eval(), torch.randn(2, *SHAPE)
    with torch.inference_mode():
        results = [
            apply_plane(network, inputs, 0.5, plane, slice_batch=n, feature_scales=(2, 4))
            for n in (1, 4, 7, 64)
        ]
    for other in results[1:]:
        assert torch.allclose(other.prediction, results[0].prediction, atol=1e-5)
        for one, two in zip(results[0].features, other.features, strict=True):
            assert torch.allclose(one, two, atol=1e-5)


@pytest.mark.parametrize("plane", PLANES)
def test_features_are_those_of_the_whole_stack_averaged_over_neighbouring_slices(plane):
    torch.manual_seed(0)
    network, inputs = stirred(UNet(PLANE)).eval(), torch.randn(2, *SHAPE)
    slices = as_slices(inputs, plane)
    count = slices.shape[0]
    label = torch.full((count,), PLANES.index(plane))
    with torch.inference_mode():
        whole = network(slices, torch.full((count,), 0.5), label)[1]
        pooled = apply_plane(network, inputs, 0.5, plane, slice_batch=4, feature_scales=(2, 4)).features
    for level, scale in enumerate((2, 4)):
        means = torch.stack([group.mean(0) for group in whole[level].split(scale)])
        expected = as_volume(means, plane)
        assert pooled[level].shape == (PLANE.channels[level], *(n // scale for n in SHAPE))
        assert torch.allclose(pooled[level], expected, atol=1e-5)


def test_pooling_never_straddles_two_calls_even_for_an_odd_slice_batch():
    spy = Spy(levels=2)
    out = apply_plane(spy, torch.randn(1, *SHAPE), 0.5, "axial", slice_batch=3, feature_scales=(2, 4))
    assert [shape[0] for shape, _, _ in spy.calls] == [4, 4]
    assert [f.shape[1] for f in out.features] == [4, 2]


def test_tick_is_called_before_every_network_call_and_can_end_the_run():
    ticks, spy = [], Spy()

    def tick():
        ticks.append(len(spy.calls))
        if len(ticks) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        apply_plane(spy, torch.randn(1, *SHAPE), 0.5, "sagittal", slice_batch=2, tick=tick)
    assert ticks == [0, 1, 2]
    assert len(spy.calls) == 2


def test_neighbours_are_channels_in_order_and_the_ends_are_replicated():
    slices = torch.arange(5.0).reshape(5, 1, 1, 1).expand(5, 1, 2, 2)
    seen = with_neighbours(slices, 0, 3, 3)[:, :, 0, 0]
    assert seen.tolist() == [[0, 0, 1], [0, 1, 2], [1, 2, 3]]
    assert with_neighbours(slices, 3, 9, 3)[:, :, 0, 0].tolist() == [[2, 3, 4], [3, 4, 4]]
    assert with_neighbours(slices, 1, 2, 5)[:, :, 0, 0].tolist() == [[0, 0, 1, 2, 3]]


@pytest.mark.parametrize("plane", PLANES)
@pytest.mark.parametrize("slice_batch", [1, 3, 100])
def test_a_2_5d_network_sees_its_neighbours_at_any_slice_batch(plane, slice_batch):
    """A network that averages its slices is a moving average along the plane's axis."""

    class Average(torch.nn.Module):
        def forward(self, x, t, label):
            return x.reshape(len(x), 3, 2, *x.shape[2:])[:, :, :1].mean(1), []

    volume = torch.randn(2, 6, 7, 8)
    found = apply_plane(Average(), volume, 0.5, plane, slice_batch=slice_batch, consecutive=3).prediction
    axis = PLANES.index(plane)
    moved = volume[0].movedim(axis, 0)
    padded = torch.cat([moved[:1], moved, moved[-1:]])
    expected = ((padded[:-2] + padded[1:-1] + padded[2:]) / 3).movedim(0, axis)
    assert torch.allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("plane", PLANES)
def test_features_are_averaged_over_neighbouring_slices_and_lie_channels_last(plane):
    class Doubling(torch.nn.Module):
        def forward(self, x, t, label):
            return x[:, :1], [x, torch.nn.functional.avg_pool2d(x, 2)]

    volume = torch.randn(2, 8, 8, 8)
    fine, coarse = apply_plane(Doubling(), volume, 0.5, plane, slice_batch=4, feature_scales=(1, 2)).features
    assert torch.allclose(fine, volume)
    assert torch.allclose(coarse, torch.nn.functional.avg_pool3d(volume, 2), atol=1e-6)
    both = joined([coarse, 2 * coarse])
    assert torch.equal(both, torch.cat([coarse, 2 * coarse]))
    assert both[None].is_contiguous(memory_format=torch.channels_last_3d)
