import numpy as np
import pytest
from scipy.spatial import cKDTree

from napari_vol2vol.errors import SettingsError
from napari_vol2vol.physics.masks import PATTERNS, poisson_disc, uniform_1d


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("width", [320, 101])
def test_lines_are_as_many_as_the_acceleration_says_and_the_centre_is_full(width, pattern):
    mask = uniform_1d((24, width), 4, 0.08, pattern=pattern)
    lines = mask[0]
    assert np.array_equal(mask, np.broadcast_to(lines, mask.shape))
    assert lines.sum() == round(width / 4)
    centre = round(0.08 * width)
    first = (width - centre + 1) // 2
    assert lines[first : first + centre].all()
    assert lines[width // 2]


def test_equispaced_lines_keep_their_distance():
    lines = np.flatnonzero(uniform_1d((2, 320), 4, 0.08, pattern="equispaced")[0])
    outside = lines[lines < 140]
    assert np.ptp(np.diff(outside)) <= 1


def test_lines_may_run_along_either_axis():
    assert np.array_equal(uniform_1d((64, 24), axis=0), uniform_1d((24, 64)).T)
    assert np.array_equal(uniform_1d((64, 24), axis=-2), uniform_1d((24, 64)).T)


@pytest.mark.parametrize("make", [uniform_1d, poisson_disc])
def test_the_same_seed_gives_the_same_mask_and_another_seed_another(make):
    assert np.array_equal(make((64, 80), seed=3), make((64, 80), seed=3))
    assert not np.array_equal(make((64, 80), seed=3), make((64, 80), seed=4))


@pytest.mark.parametrize(("shape", "acceleration"), [((96, 96), 8), ((80, 61), 4), ((128, 96), 15)])
def test_poisson_discs_reach_the_acceleration_exactly(shape, acceleration):
    mask = poisson_disc(shape, acceleration, calibration=(8, 8))
    assert mask.sum() == round(mask.size / acceleration)
    low = [(n - 7) // 2 for n in shape]
    assert mask[low[0] : low[0] + 8, low[1] : low[1] + 8].all()
    assert mask[shape[0] // 2, shape[1] // 2]


def test_poisson_discs_keep_a_distance_that_grows_outwards():
    n, centre = 128, 10
    mask = poisson_disc((n, n), 8, calibration=(centre, centre))
    points = np.argwhere(mask) - n // 2
    points = points[np.abs(points).max(1) > centre // 2 + 1]
    radius = np.hypot(*points.T)
    nearest = cKDTree(points).query(points, 2)[0][:, 1]
    rings = [nearest[(radius >= r) & (radius < r + 12)].min() for r in (8, 24, 44)]
    assert rings[0] < rings[1] < rings[2]
    inner, outer = mask[n // 2 - 16 : n // 2 + 16, n // 2 - 16 : n // 2 + 16].mean(), mask.mean()
    assert inner > 2 * outer


def test_corners_are_left_out_unless_they_are_wanted():
    assert not poisson_disc((64, 64), 6)[:6, :6].any()
    assert poisson_disc((64, 64), 6, corners=True)[:9, :9].any()


def test_bad_accelerations_name_what_would_do():
    with pytest.raises(SettingsError, match="acceleration: found 100"):
        poisson_disc((64, 64), 100)
    with pytest.raises(SettingsError, match="acceleration: found 1 "):
        poisson_disc((64, 64), 1)
    with pytest.raises(SettingsError, match=r"acceleration, centre_fraction: found 20, 0\.08"):
        uniform_1d((64, 64), 20)
    with pytest.raises(SettingsError, match="pattern: found 'spiral', accepted are random, equispaced"):
        uniform_1d((64, 64), pattern="spiral")
