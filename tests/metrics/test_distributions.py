from functools import partial

import numpy as np
import pytest
from scipy.linalg import sqrtm
from scipy.stats import ortho_group

from napari_vol2vol.metrics.arrays import MetricError
from napari_vol2vol.metrics.distributions import (
    frechet_distance,
    kernel_distance,
    mmd_squared,
    split_half,
)


def gaussian(n, d, mean=0.0, scale=1.0, seed=0):
    return mean + scale * np.random.default_rng(seed).normal(size=(n, d))


def with_moments(mean, covariance, n, seed=0):
    """Points whose sample mean and covariance (n - 1) are *exactly* these."""
    white = gaussian(n, len(mean), seed=seed)
    white -= white.mean(axis=0)
    white = np.linalg.solve(np.linalg.cholesky(np.cov(white.T)), white.T)
    return (np.linalg.cholesky(covariance) @ white).T + mean


def gaussian_mmd_squared(shift, scale_b, h, d):
    """MMD² of N(0, I) and N(shift, scale_b² I) under the Gaussian kernel, in closed form."""

    def mean_kernel(variance, distance_squared):
        total = h**2 + variance
        return (h**2 / total) ** (d / 2) * np.exp(-distance_squared / (2 * total))

    return mean_kernel(2, 0) + mean_kernel(2 * scale_b**2, 0) - 2 * mean_kernel(1 + scale_b**2, d * shift**2)


@pytest.mark.parametrize(("shift", "scale"), [(0.5, 1.0), (0.0, 1.6), (0.4, 0.7)])
def test_the_mmd_of_two_gaussians_has_its_closed_form(shift, scale):
    a, b = gaussian(1500, 3), gaussian(1200, 3, shift, scale, seed=1)
    result = mmd_squared(a, b, bandwidth=1.5)
    assert result.value == pytest.approx(gaussian_mmd_squared(shift, scale, 1.5, 3), rel=0.15)
    assert (result.n_a, result.n_b, result.d, result.bandwidth) == (1500, 1200, 3, 1.5)


def test_the_unbiased_mmd_of_one_distribution_is_zero_on_average_and_the_biased_one_is_above():
    pairs = [(gaussian(30, 4, seed=s), gaussian(20, 4, seed=1000 + s)) for s in range(200)]
    unbiased = np.array([mmd_squared(a, b, bandwidth=2).value for a, b in pairs])
    biased = np.array([mmd_squared(a, b, bandwidth=2, unbiased=False).value for a, b in pairs])
    assert abs(unbiased.mean()) < 4 * unbiased.std() / np.sqrt(200)
    assert (unbiased < 0).any()
    # the diagonal alone: (1 - E k) (1 / n_a + 1 / n_b) with E k = (h² / (h² + 2))^(d / 2)
    assert biased.mean() == pytest.approx((1 - (4 / 6) ** 2) * (1 / 30 + 1 / 20), rel=0.05)
    assert biased.min() > 0


def test_a_set_has_no_biased_mmd_to_itself():
    a = gaussian(50, 3)
    assert mmd_squared(a, a[::-1], unbiased=False).value == pytest.approx(0, abs=1e-12)


def test_the_bandwidth_is_the_median_distance_of_the_pooled_set_and_is_stated():
    a, b = np.array([[0.0], [1.0]]), np.array([[3.0], [7.0]])  # distances 1 2 3 4 6 7
    result = mmd_squared(a, b)
    assert result.bandwidth == pytest.approx(3.5)
    assert result.value == pytest.approx(mmd_squared(a, b, bandwidth=3.5).value)


def test_the_mmd_of_two_points_each_by_hand():
    a, b = np.array([[0.0], [1.0]]), np.array([[0.0], [2.0]])
    k = {r: np.exp(-(r**2) / 2) for r in (0, 1, 2)}
    cross = (k[0] + k[2] + k[1] + k[1]) / 4
    assert mmd_squared(a, b, bandwidth=1).value == pytest.approx(k[1] + k[2] - 2 * cross)
    biased = (2 + 2 * k[1]) / 4 + (2 + 2 * k[2]) / 4 - 2 * cross
    assert mmd_squared(a, b, bandwidth=1, unbiased=False).value == pytest.approx(biased)


def test_the_frechet_distance_of_commuting_covariances_has_its_closed_form():
    """|m|² + sum (s_a - s_b)² over the axes they share."""
    axes = ortho_group.rvs(5, random_state=0)
    s_a, s_b = np.array([1, 2, 3, 4, 5.0]), np.array([2, 2, 1, 0.5, 6.0])
    shift = np.arange(5.0)
    a = with_moments(np.zeros(5), axes @ np.diag(s_a**2) @ axes.T, 40)
    b = with_moments(shift, axes @ np.diag(s_b**2) @ axes.T, 70, seed=1)
    result = frechet_distance(a, b)
    assert result.value == pytest.approx(shift @ shift + np.square(s_a - s_b).sum())
    assert (result.n_a, result.n_b, result.d, result.bandwidth) == (40, 70, 5, None)


@pytest.mark.parametrize(("n_a", "n_b", "d"), [(60, 50, 6), (60, 4, 6), (5, 4, 6), (3, 9, 40)])
def test_the_frechet_distance_is_that_of_the_matrix_root(n_a, n_b, d):
    """The root by eigenvalues of the symmetric form; scikit-like covariances over N - 1."""
    a, b = gaussian(n_a, d), gaussian(n_b, d, 1, 2, seed=1)
    values, vectors = np.linalg.eigh(np.cov(a.T))
    root = vectors @ np.diag(np.sqrt(np.clip(values, 0, None))) @ vectors.T
    inner = np.sqrt(np.clip(np.linalg.eigvalsh(root @ np.cov(b.T) @ root), 0, None)).sum()
    shift = a.mean(axis=0) - b.mean(axis=0)
    expected = shift @ shift + np.trace(np.cov(a.T)) + np.trace(np.cov(b.T)) - 2 * inner
    assert frechet_distance(a, b).value == pytest.approx(expected, rel=1e-6)


def test_the_frechet_distance_agrees_with_scipys_root_where_that_is_stable():
    a, b = gaussian(300, 8), gaussian(200, 8, 0.3, 1.5, seed=1)
    shift = a.mean(axis=0) - b.mean(axis=0)
    product = np.cov(a.T) @ np.cov(b.T)
    expected = shift @ shift + np.trace(np.cov(a.T) + np.cov(b.T) - 2 * sqrtm(product).real)
    assert frechet_distance(a, b).value == pytest.approx(expected)


@pytest.mark.parametrize("n", [10, 200])
def test_a_set_is_at_no_frechet_distance_from_itself(n):
    a = gaussian(n, 64, mean=100)
    assert frechet_distance(a, a[::-1]).value == pytest.approx(0, abs=1e-8)


def test_rotating_the_features_leaves_the_frechet_distance():
    a, b = gaussian(20, 30), gaussian(15, 30, 1, seed=1)
    turn = ortho_group.rvs(30, random_state=0)
    assert frechet_distance(a @ turn, b @ turn).value == pytest.approx(frechet_distance(a, b).value)


def test_the_kernel_distance_of_whole_sets_by_hand():
    a, b = np.array([[1.0, 1], [1, -1]]), np.array([[0.0, 2], [4, 0]])
    k = {
        dot: (dot / 2 + 1) ** 3 for dot in (-2, 0, 2, 4)
    }  # x . y: within a 0; within b 0; across 2, 4, -2, 4
    result = kernel_distance(a, b, subsets=3, subset_size=2)
    assert result.value == pytest.approx(k[0] + k[0] - 2 * (k[2] + 2 * k[4] + k[-2]) / 4)
    assert result.std == pytest.approx(0)


def test_the_kernel_distance_of_subsets_is_on_average_that_of_the_whole_sets():
    a, b = gaussian(8, 3), gaussian(8, 3, 1, seed=1)
    whole = kernel_distance(a, b, subsets=1, subset_size=8).value
    found = kernel_distance(a, b, subsets=4000, subset_size=3)
    assert found.value == pytest.approx(whole, abs=4 * found.std / np.sqrt(4000))


def test_the_kernel_distance_is_unbiased_and_sees_a_shift():
    null = [kernel_distance(gaussian(60, 8, seed=s), gaussian(40, 8, seed=900 + s)).value for s in range(40)]
    assert abs(np.mean(null)) < 4 * np.std(null) / np.sqrt(40)
    shifted = kernel_distance(gaussian(60, 8), gaussian(40, 8, 0.5, seed=1))
    assert shifted.value > max(null)


def test_the_kernel_distance_states_its_subsets_and_depends_on_the_seed_only():
    a, b = gaussian(30, 4), gaussian(20, 4, seed=1)
    result = kernel_distance(a, b, seed=3)
    assert result.subset_size == 10
    assert result.std > 0
    assert result == kernel_distance(a, b, seed=3) != kernel_distance(a, b, seed=4)
    assert kernel_distance(a, b, subsets=1).std is None
    assert result.as_dict()["n_b"] == 20


@pytest.mark.parametrize("metric", [mmd_squared, frechet_distance, kernel_distance])
def test_the_real_halves_are_nearer_than_another_distribution(metric):
    real, other = gaussian(80, 5), gaussian(40, 5, 0.8, seed=1)
    halves = split_half(real, metric)
    assert (halves.n_a, halves.n_b, halves.d) == (40, 40, 5)
    assert halves.value < metric(real[:40], other).value


def test_the_halves_are_disjoint_random_and_repeatable():
    items = np.arange(9.0)[:, None]
    seen = []

    def remember(a, b):
        seen.append((set(a.ravel()), set(b.ravel())))
        return mmd_squared(a, b)

    for seed in (0, 0, 1):
        split_half(items, remember, seed)
    assert all(len(a) == len(b) == 4 and not a & b for a, b in seen)
    assert seen[0] == seen[1] != seen[2]


def test_a_bandwidth_can_be_carried_to_the_halves():
    assert split_half(gaussian(20, 3), partial(mmd_squared, bandwidth=0.7)).bandwidth == 0.7


def test_what_has_no_distance_is_refused():
    a = gaussian(10, 3)
    with pytest.raises(MetricError, match="found d = 3 in a and 2 in b"):
        frechet_distance(a, a[:, :2])
    with pytest.raises(MetricError, match="bandwidth: found 0, accepted"):
        mmd_squared(a, a, bandwidth=0)
    with pytest.raises(MetricError, match="the median distance of the pooled features is 0"):
        mmd_squared(np.ones((3, 2)), np.ones((3, 2)))
    with pytest.raises(MetricError, match="subset_size: found 11, accepted is 2 to 10"):
        kernel_distance(a, a, subset_size=11)
    with pytest.raises(MetricError, match="subsets: found 0"):
        kernel_distance(a, a, subsets=0)
    with pytest.raises(MetricError, match="N of at least 4"):
        split_half(a[:3], mmd_squared)
