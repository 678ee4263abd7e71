import numpy as np
import pytest

from napari_vol2vol.metrics.arrays import MetricError
from napari_vol2vol.metrics.regions import change_by_region, region_statistics

SHAPE = (6, 7, 8)


def test_each_label_gets_its_own_figures_and_gaps_are_left_out():
    labels = np.zeros(SHAPE, int)
    labels[:2], labels[4:] = 1, 5
    volume = np.where(labels == 1, 10.0, np.arange(8) * 1.0)
    first, last = region_statistics(volume, labels)
    assert (first.label, first.voxels, first.mean, first.std) == (1, 112, 10.0, 0.0)
    assert (last.label, last.voxels, last.mean, last.median) == (5, 112, 3.5, 3.5)
    assert last.low < last.median < last.high


def test_the_change_is_the_median_of_the_differences():
    labels = np.ones(SHAPE, int)
    before = np.random.default_rng(0).normal(size=SHAPE)
    after = before + 7
    after[0, 0, 0] = 1e6
    assert change_by_region(before, after, labels) == {1: pytest.approx(7)}


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros(SHAPE, int), "no voxel above 0"),
        (np.ones(SHAPE), "accepted are whole numbers"),
        (np.ones((6, 7, 7), int), "shapes"),
    ],
)
def test_labels_that_are_none_are_refused(labels, message):
    with pytest.raises(MetricError, match=message):
        region_statistics(np.zeros(SHAPE), labels)
