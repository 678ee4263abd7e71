import numpy as np
import pytest
import torch
from monai.metrics.mmd import compute_mmd

from napari_vol2vol.metrics.arrays import MetricError
from napari_vol2vol.metrics.volume_mmd import volume_mmd

SHAPE = (4, 5, 6)


def volumes(n, mean=0.0, seed=0):
    return mean + np.random.default_rng(seed).normal(size=(n, *SHAPE)).astype(np.float32)


def test_it_is_the_unbiased_mmd_of_monai():
    a, b = volumes(6, 0.5), volumes(6, seed=1)
    expected = compute_mmd(torch.from_numpy(b)[:, None], torch.from_numpy(a)[:, None], None)
    result = volume_mmd(a, b)
    assert result.value == pytest.approx(float(expected), rel=1e-4)
    assert (result.n_a, result.n_b, result.d, result.bandwidth) == (6, 6, 120, None)


def test_the_biased_one_is_the_squared_distance_of_the_mean_volumes():
    a, b = volumes(3, 0.5), volumes(7, seed=1)
    expected = np.square(a.mean(axis=0) - b.mean(axis=0)).sum()
    assert volume_mmd(a, b, unbiased=False).value == pytest.approx(expected, rel=1e-5)


def test_unequal_numbers_of_one_distribution_are_at_no_distance_on_average():
    found = [volume_mmd(volumes(3, seed=s), volumes(5, seed=500 + s)).value for s in range(300)]
    assert abs(np.mean(found)) < 4 * np.std(found) / np.sqrt(300)


def test_a_constant_shift_is_its_square_times_the_voxels():
    found = [volume_mmd(volumes(4, 2, seed=s), volumes(5, seed=500 + s)).value for s in range(100)]
    assert np.mean(found) == pytest.approx(4 * 120, rel=0.02)


def test_an_offset_of_both_sets_costs_no_digits():
    a, b = volumes(4, 0.3), volumes(5, seed=1)
    expected = volume_mmd(a, b).value
    moved = volume_mmd(a.astype(float) + 1e7, b.astype(float) + 1e7).value
    assert moved == pytest.approx(expected, rel=1e-4)


def test_volumes_can_come_one_at_a_time():
    a, b = volumes(4), volumes(5, seed=1)
    assert volume_mmd(iter(a), (v for v in b)) == volume_mmd(a, b)


def test_too_few_volumes_and_other_shapes_are_refused():
    a = volumes(4)
    with pytest.raises(MetricError, match="b: found 1 volumes, accepted are at least 2"):
        volume_mmd(a, a[:1])
    with pytest.raises(MetricError, match="a: found 0 volumes"):
        volume_mmd([], a)
    with pytest.raises(MetricError, match=r"b: found a volume of shape \(4, 5, 5\), accepted is \(4, 5, 6\)"):
        volume_mmd(a, a[..., :5])
