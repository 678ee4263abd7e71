import numpy as np
import pytest

from napari_vol2vol.metrics import MetricError
from napari_vol2vol.metrics.overlap import dice


def cube(*ranges):
    mask = np.zeros((8, 8, 8), bool)
    mask[tuple(slice(a, b) for a, b in ranges)] = True
    return mask


def test_dice_is_twice_the_overlap_over_the_sum():
    truth, shifted = cube((0, 4), (0, 4), (0, 4)), cube((1, 5), (0, 4), (0, 4))
    assert dice(shifted, truth) == pytest.approx(2 * 48 / (64 + 64))
    assert dice(truth, truth) == 1
    assert dice(~truth, truth) == 0
    assert dice(np.ones_like(truth), truth) == pytest.approx(2 * 64 / (512 + 64))


def test_nothing_found_is_zero_and_nothing_to_find_is_none():
    truth, empty = cube((0, 4), (0, 4), (0, 4)), np.zeros((8, 8, 8), bool)
    assert dice(empty, truth) == 0
    assert dice(truth, empty) is None
    assert dice(empty, empty) is None


def test_masks_of_two_shapes_are_refused():
    with pytest.raises(MetricError, match=r"found \(8, 8, 8\), truth \(8, 8, 4\)"):
        dice(np.ones((8, 8, 8), bool), np.ones((8, 8, 4), bool))
