import numpy as np
import pytest

from napari_vol2vol.errors import Vol2VolError
from napari_vol2vol.metrics.arrays import (
    MetricError,
    as_feature_pair,
    as_features,
    check_same_shape,
    check_standard_deviation,
)


def test_a_mistake_is_one_of_the_projects_errors_and_no_runtime_error():
    assert issubclass(MetricError, Vol2VolError)
    assert not issubclass(MetricError, RuntimeError)


def test_shapes_that_differ_and_empty_arrays_are_named():
    check_same_shape(mean=np.ones((2, 3)), std=np.ones((2, 3)))
    with pytest.raises(MetricError, match=r"found mean \(2, 3\), std \(3, 2\)"):
        check_same_shape(mean=np.ones((2, 3)), std=np.ones((3, 2)))
    with pytest.raises(MetricError, match="at least one element"):
        check_same_shape(mean=np.ones(0), std=np.ones(0))


@pytest.mark.parametrize("wrong", [-0.5, np.nan, np.inf])
def test_a_standard_deviation_is_finite_and_at_least_zero(wrong):
    check_standard_deviation(np.array([0, 1.0]))
    with pytest.raises(MetricError, match="accepted are finite values of at least 0"):
        check_standard_deviation(np.array([1.0, wrong]))


@pytest.mark.parametrize("shape", [(5,), (1, 3), (4, 0), (2, 2, 2)])
def test_features_are_a_matrix_of_two_rows_or_more(shape):
    with pytest.raises(MetricError, match=r"accepted is \(N, d\) with N of at least 2"):
        as_features(np.ones(shape), "a")


def test_features_are_finite_and_become_float64():
    assert as_features(np.ones((2, 3), np.float32), "a").dtype == np.float64
    with pytest.raises(MetricError, match="b: found features that are not finite"):
        as_feature_pair(np.ones((2, 3)), np.full((2, 3), np.nan))


def test_two_sets_share_the_number_of_features_not_of_items():
    a, b = as_feature_pair(np.ones((2, 3)), np.ones((5, 3)))
    assert (len(a), len(b)) == (2, 5)
    with pytest.raises(MetricError, match="found d = 3 in a and 4 in b"):
        as_feature_pair(np.ones((2, 3)), np.ones((2, 4)))
