import numpy as np
import pytest
import torch

from napari_vol2vol.errors import VolumeError
from napari_vol2vol.networks.segresnet import SegResNet, SegResNetConfig
from napari_vol2vol.tasks.segmentation import MISSING, segment
from napari_vol2vol.volume import Volume

INPUTS = ("T1ce", "FLAIR")
CONFIG = SegResNetConfig(2, ("background", "a", "b"), filters=8, blocks_down=(1, 1, 1), blocks_up=(1, 1))


class Spy(torch.nn.Module):
    """Keeps what it is shown and answers with the brightest channel: label 1 or 2, 0 where both are dark."""

    config = CONFIG

    def forward(self, x):
        self.seen = x
        return torch.cat([torch.zeros_like(x[:, :1]), x], 1)


def image(seed, shape=(9, 10, 11), modality="T1ce"):
    return Volume.from_array(np.random.default_rng(seed).uniform(0, 7, shape), modality=modality)


def test_channels_come_in_the_order_of_the_network_each_normalised_by_itself():
    spy, (t1ce, flair) = Spy(), (image(0), image(1, modality="FLAIR"))
    segment(spy, INPUTS, {"FLAIR": flair.with_data(100 * flair.data), "T1ce": t1ce})
    inner = spy.seen[0, :, 3:12, 3:13, 2:13]
    assert spy.seen.shape == (1, 2, 16, 16, 16)
    for channel, volume in zip(inner, (t1ce, flair), strict=True):
        top = np.percentile(volume.data, 99.5)
        wanted = np.clip(2 * volume.data / top - 1, -1, 1)
        assert np.abs(channel.numpy() - wanted).max() < 1e-5


def test_labels_lie_where_the_voxels_were_in_spite_of_padding():
    spy, (t1ce, flair) = Spy(), (image(0), image(1, modality="FLAIR"))
    labels = segment(spy, INPUTS, {"T1ce": t1ce, "FLAIR": flair})
    a, b = (v.data / np.percentile(v.data, 99.5) for v in (t1ce, flair))
    wanted = np.where(np.minimum(a, 1) >= np.minimum(b, 1), 1, 2) * (np.maximum(a, b) > 0.5)
    assert labels.dtype == np.uint8
    assert (labels == wanted).mean() > 0.999


def test_a_missing_modality_is_an_empty_channel():
    spy = Spy()
    segment(spy, INPUTS, {"T1ce": image(0)})
    assert (spy.seen[0, 1] == MISSING).all()
    assert spy.seen[0, 0].max() == 1


def test_a_real_network_answers_alike_for_any_unit():
    torch.manual_seed(0)
    network = SegResNet(CONFIG).eval()
    t1ce, flair = image(0), image(1, modality="FLAIR")
    once = segment(network, INPUTS, {"T1ce": t1ce, "FLAIR": flair})
    again = segment(network, INPUTS, {"T1ce": t1ce.with_data(8 * t1ce.data), "FLAIR": flair})
    assert len(np.unique(once)) > 1
    assert np.array_equal(once, again)


def test_what_cannot_be_segmented_is_named():
    with pytest.raises(VolumeError, match="found T2w, accepted is at least one of T1ce, FLAIR"):
        segment(Spy(), INPUTS, {"T2w": image(0)})
    with pytest.raises(VolumeError, match=r"shape \(9, 10, 12\) where \(9, 10, 11\)"):
        segment(Spy(), INPUTS, {"T1ce": image(0), "FLAIR": image(1, (9, 10, 12), "FLAIR")})
